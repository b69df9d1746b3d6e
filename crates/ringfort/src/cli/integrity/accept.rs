//! `ringfort integrity accept`: somebody takes responsibility for a change.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use ringfort_integrity::change::Change;
use ringfort_integrity::history::{Accepted, append};
use ringfort_integrity::why::Why;

use super::changes::find;
use super::machines::{Whose, kept};
use crate::cli::keys::{IdentityFile, state_fault};
use crate::cli::{Fault, print};

/// Take responsibility for a change that nothing explains
///
/// It is signed with the key of the keyring that signs baselines, and stands for ever in the history beside
/// cluster.yaml, .ringfort/NAME/accepted.jsonl: a chain in which no line can be changed or left out. The change
/// itself stays as it is. A program that containers of an image write whenever they begin is accepted once for all
/// of them with --image: by the digest of the image's layers, the path, the mode and the content. Where the file is ringfort's, `ringfort up` puts it back.
///
/// Exit codes: 0 it is written down, 2 usage, or no machine told such a change, 3 a machine that may have told
/// it could not be asked, 4 it could not be written.
#[derive(Args)]
pub struct AcceptArgs {
    /// The change, by its id
    change: String,
    /// Accept the same drift in every container of the same image as well: the same content at the same path
    #[arg(long)]
    image: bool,
    /// Why it is well
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who takes it
    #[arg(long, value_name = "NAME")]
    owner: String,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    identity: IdentityFile,
}

const NO_DRIFT: &str = "the change is no file in a container's own root that its image's layers, its path and its content tell: accept it without --image";

/// Writes it down.
///
/// # Errors
/// There is no such change, or it cannot be written.
pub fn run(args: &AcceptArgs) -> Result<ExitCode, Fault> {
    for (name, text) in [("--reason", &args.reason), ("--owner", &args.owner)] {
        if text.trim().is_empty() {
            return Err(Fault::usage(format!("{name} says nothing")));
        }
    }
    let kept = kept(&args.whose.spec)?;
    let held = kept.state.hold().map_err(Fault::unable)?;
    let (history, accepted) = kept.accepted()?;
    if let Some(known) = accepted.iter().find(|known| known.change == args.change) {
        return Err(Fault::usage(format!(
            "{} was accepted by {} already",
            known.change, known.owner
        )));
    }
    let (node, change) = find(&args.whose, &args.change)?;
    answerable(&change)?;
    let drift = match args.image {
        true => Some(change.drift_key().ok_or_else(|| Fault::usage(NO_DRIFT))?),
        false => None,
    };
    let opened = kept.state.open(&args.identity.read()?).map_err(state_fault)?;
    let key = opened.keyring.baseline_key().map_err(Fault::usage)?;
    let record = Accepted {
        change: args.change.clone(),
        drift,
        owner: args.owner.clone(),
        reason: args.reason.clone(),
        at: Timestamp::now().to_string(),
        before: String::new(),
    };
    let line = append(&history, record, &key)
        .ok_or_else(|| Fault::unable("what was accepted cannot be written as a line"))?;
    held.save_accepted(&(history + &line)).map_err(Fault::unable)?;
    print(&format!("{} of {node} is accepted by {}\n", args.change, args.owner));
    Ok(ExitCode::SUCCESS)
}

/// Says that there is something to answer for.
fn answerable(change: &Change) -> Result<(), Fault> {
    match change.why {
        Why::Unexplained => Ok(()),
        Why::Explained(_) => Err(Fault::usage(format!(
            "{} is explained already, and nobody has to answer for it: ringfort integrity changes",
            change.id
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_nothing_explains_is_accepted() {
        for (why, is_accepted) in [
            (json!("unexplained"), true),
            (json!({"explained": "package"}), false),
            (json!({"explained": {"baseline": {"number": 4}}}), false),
        ] {
            let change = json!({
                "id": "a", "path": "/a", "class": "exact", "severity": "high", "differences": [],
                "isRight": false, "who": {"unknown": "x"}, "why": why,
            });
            let change: Change = serde_json::from_value(change).unwrap();
            assert_eq!(answerable(&change).is_ok(), is_accepted, "{change:?}");
        }
    }
}
