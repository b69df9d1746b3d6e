//! `ringfort audit minimal-rbac`: the least roles that a log justifies.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use ringfort_audit::rbac::{Refused, Used, least};
use ringfort_controls::yaml;

use super::logs;
use crate::cli::{Fault, print};

/// Print the least Role and ClusterRole that a log justifies for a user
///
/// Objects that were named are named; what was done as somebody else is theirs, and acting as them, by name and groups,
/// is the user's. Before it is printed, everything that was done is tried against the roles again.
///
/// Exit codes: 0 well, 2 usage, or a log cannot be read, 3 something could not be judged, or the user did
/// nothing.
#[derive(Args)]
pub struct MinimalRbacArgs {
    /// The user, such as bob or system:serviceaccount:web:shop
    user: String,
    /// Logs, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Give also what was refused: for software that is being set up
    #[arg(long)]
    with_refused: bool,
    /// The name of the roles and bindings, instead of minimal-USER
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Runs the command.
pub fn run(args: &MinimalRbacArgs) -> Result<ExitCode, Fault> {
    let mut used = Used::default();
    let read = logs::read(&args.files, &mut |_, _, event, _| {
        used.add(&args.user, event);
        None
    })?;
    read.tell();
    let wanted = used.wanted(if args.with_refused { Refused::Counts } else { Refused::Spared });
    if !args.with_refused && used.refusals() > 0 {
        let count = used.refusals();
        eprintln!("note: {count} things were refused and are not given; --with-refused gives them");
    }
    if wanted.is_empty() {
        return Err(Fault::blind(format!("no request of {} was allowed", args.user)));
    }
    let roles = least(&wanted);
    if let Some(missing) = wanted.iter().find(|access| !roles.allow(access)) {
        return Err(Fault::unable(format!("the roles would not allow {missing:?}")));
    }
    let name = args.name.clone().unwrap_or_else(|| name(&args.user));
    print(&yaml::documents(&roles.objects(&args.user, &name)));
    Ok(ExitCode::from(if read.is_blind() { 3 } else { 0 }))
}

/// Names the roles of a user, so that those of another do not take their place. Roles may be named like most users;
/// what a name of an object cannot hold is written as its number.
fn name(user: &str) -> String {
    let letter = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | ':' | '@' => letter.to_string(),
        other => format!("_{:x}_", u32::from(other)),
    };
    format!("minimal-{}", user.chars().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::name;

    #[test]
    fn roles_of_two_users_have_two_names_that_objects_may_have() {
        assert_eq!(name("bob"), "minimal-bob");
        assert_eq!(
            name("system:serviceaccount:web:shop"),
            "minimal-system:serviceaccount:web:shop"
        );
        let users = ["a/b", "a%b", "a b", "a-b", "a_b", "A-b", "a:b"];
        let names: BTreeSet<String> = users.iter().map(|user| name(user)).collect();
        assert_eq!(names.len(), users.len());
        assert!(names.iter().all(|name| !name.contains(['/', '%', ' '])), "{names:?}");
    }
}
