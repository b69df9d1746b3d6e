//! `ringfort audit search`: what is kept, by who, what and when.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::event::Event;
use ringfort_store::format::entry::Entry;
use ringfort_store::format::query::{Hit, Query};
use ringfort_store::os::search;

use super::stored::StoreArg;
use super::{line, plain};
use crate::cli::{Fault, print};

/// Search what was kept: user=… verb=… resource=… namespace=… name=… source=… kind=… since=2h until=…
///
/// Everything that is said has to hold. A star ends a value of which only the beginning is known; it is slower. A value
/// with spaces stands in quotes of the shell, and one with spaces and = in double quotes within them.
/// kind=unreadable gives the lines that cannot be read and what of them can be, kind=event and kind=finding the others.
/// Times are 30m, 2h or 7d ago, or 2026-01-05T10:00:00Z. What agents found of files of machines is there as
/// resource=files, with the path as name=, the machine as source= and the program as user=.
///
/// Exit codes: 0 well, 2 usage, 3 a part of the store cannot be read.
#[derive(Args)]
pub struct SearchArgs {
    /// What is searched for
    #[arg(required = true, value_name = "FIELD=VALUE")]
    query: Vec<String>,
    #[command(flatten)]
    store: StoreArg,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Write events whole, a JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed<'l> {
    /// Whose log it stood in, or whose agent found it.
    source: &'l str,
    /// The line, as it stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'l RawValue>,
    /// What the agent delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<&'l RawValue>,
    /// A line that cannot be read, with what stands for what is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
}

/// Runs the command.
pub fn run(args: &SearchArgs) -> Result<ExitCode, Fault> {
    let query = Query::of(&args.query, jiff::Timestamp::now()).map_err(Fault::usage)?;
    let (mut count, mut fault) = (0, None);
    let searched = search(&args.store.path()?, &query, &mut |entry, hit| {
        let said = match (args.json, hit) {
            (true, hit) => line(&listed(entry, hit)),
            (false, Hit::Event(event)) => Ok(told(entry.source, event)),
            (false, Hit::Finding(finding)) => {
                Ok(plain(&format!("{finding} [{}]", entry.source)) + "\n")
            }
            (false, Hit::Unreadable) => Ok(unreadable(entry)),
        };
        match said {
            Ok(said) => print(&said),
            Err(error) => fault = Some(error),
        }
        count += 1;
        fault.is_none() && args.limit.is_none_or(|limit| count < limit)
    })
    .map_err(Fault::blind)?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    if searched.unreadable > 0 {
        eprintln!(
            "error: {} parts of the store cannot be read: see `ringfort audit verify`",
            searched.unreadable
        );
    }
    Ok(ExitCode::from(if searched.unreadable > 0 { 3 } else { 0 }))
}

/// Gives an entry whole. Zeros before an event are of a machine that lost power, and no part of it.
fn listed<'l>(entry: &'l Entry<'_>, hit: &Hit<'_>) -> Listed<'l> {
    let zeros = entry.text.iter().take_while(|byte| **byte == 0).count();
    let raw = serde_json::from_slice::<&RawValue>(&entry.text[zeros..]).ok();
    let whole = || String::from_utf8_lossy(entry.text).into_owned();
    let (source, event, reported) = (entry.source, None, None);
    match (hit, raw) {
        (Hit::Event(_), Some(event)) => {
            Listed { source, event: Some(event), reported, unreadable: None }
        }
        (Hit::Finding(_), raw) => Listed { source, event, reported: raw, unreadable: None },
        _ => Listed { source, event, reported, unreadable: Some(whole()) },
    }
}

/// Says of a line why it cannot be read. What stands there may be a secret.
fn unreadable(entry: &Entry<'_>) -> String {
    let mut why = None;
    each(entry.text, &mut |found| {
        if let Found::Fault(fault) = found {
            why.get_or_insert(fault.to_string());
        }
    });
    let time = jiff::Timestamp::from_microsecond(entry.time).unwrap_or_default();
    let why = why.unwrap_or_else(|| "it was cut".to_owned());
    let (length, source) = (entry.text.len(), entry.source);
    plain(&format!("{time} a line of {length} bytes cannot be read: {why} [{source}]")) + "\n"
}

fn told(source: &str, event: &Event<'_>) -> String {
    let as_whom = event.impersonated_user.as_ref().map(|user| format!(" as {}", &*user.username));
    let mut object = event.resource().to_owned();
    if object.is_empty() {
        event.path().clone_into(&mut object);
    }
    for (mark, part) in [("/", event.subresource()), (" ", event.namespace()), (" ", event.name())]
    {
        if !part.is_empty() {
            object.push_str(mark);
            object.push_str(part);
        }
    }
    let said = format!(
        "{} {}{} from {}: {} {object}: {} [{source}]",
        event.time(),
        &*event.user.username,
        as_whom.unwrap_or_default(),
        event.source(),
        &*event.verb,
        event.response_status.code,
    );
    plain(&said) + "\n"
}
