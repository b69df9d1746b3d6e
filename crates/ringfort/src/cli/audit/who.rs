//! `ringfort audit who`: what somebody did.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use ringfort_audit::who::{Act, Acts, Story, Subject};

use super::json;
use super::logs;
use super::stored::{StoreArg, events, since};
use crate::cli::{Fault, print};

/// Tell what an identity, pod, token or address did, and what was done with tokens that it asked for
///
/// The subject is a user such as system:serviceaccount:web:shop, a pod as pod/NAMESPACE/NAME, a credential by
/// its id as JTI=…, or an address. Tokens that it asked for are followed, and those asked for with them. Of an object
/// such as secrets/web/db or deployment/shop it is told what was done to it; of a pod as an object, as pods/web/shop-1.
///
/// It is looked for in the logs that are named, or else in what `ringfort audit collect` keeps.
///
/// Exit codes: 0 well, 2 usage, or a log cannot be read, 3 something could not be judged, or the store cannot be read.
#[derive(Args)]
pub struct WhoArgs {
    /// Whose doings
    #[arg(value_parser = subject)]
    subject: (String, Subject),
    /// Logs, or - for standard input
    #[arg(value_name = "FILE", conflicts_with = "store")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreArg,
    /// Only what was done since then: 30m, 2h or 7d ago, or since 2026-01-05T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people: a line for each thing that was done, repeats counted
    Text,
    /// An object: everything that was done, one by one
    Json,
}

/// Reads what a person writes, and keeps it as it was written.
fn subject(text: &str) -> Result<(String, Subject), String> {
    let subject = Subject::read(text).map_err(|error| error.to_string())?;
    Ok((text.to_owned(), subject))
}

/// Runs the command.
pub fn run(args: &WhoArgs) -> Result<ExitCode, Fault> {
    let (written, subject) = &args.subject;
    let mut acts = Acts::about(subject.clone());
    let (unjudged, is_blind) = match args.files.is_empty() {
        true => of_store(args, &mut acts)?,
        false => of_logs(args, &mut acts)?,
    };
    let story = acts.story();
    print(&match args.format {
        Format::Json => json(&Told { version: VERSION, unjudged, story: &story })?,
        Format::Text => text(written, &story),
    });
    Ok(ExitCode::from(if is_blind { 3 } else { 0 }))
}

/// Adds what logs say. Gives how much could not be judged, and whether something was not looked at.
fn of_logs(args: &WhoArgs, acts: &mut Acts) -> Result<(u64, bool), Fault> {
    loop {
        let read = logs::read(&args.files, &mut |_, _, event, _| {
            // What has no time may be of any.
            let is_before = |since: i64| event.microseconds().is_some_and(|time| time < since);
            if !args.since.is_some_and(is_before) {
                acts.add(event);
            }
            None
        })?;
        let is_to_be_read_again = acts.is_late();
        // A pipe is read once.
        if is_to_be_read_again && args.files.iter().all(|file| logs::is_there_to_stay(file)) {
            acts.begin_again();
            continue;
        }
        if is_to_be_read_again {
            eprintln!(
                "error: a token was used before the log says who asked for it, and what is read from a pipe cannot be read \
                 again: something may be missing. Give files instead"
            );
        }
        read.tell();
        return Ok((read.unjudged, is_to_be_read_again || read.is_blind()));
    }
}

fn of_store(args: &WhoArgs, acts: &mut Acts) -> Result<(u64, bool), Fault> {
    let store = args.store.path()?;
    let read = loop {
        let read = events(&store, args.since, &mut |event| acts.add(event))?;
        if !acts.is_late() {
            break read;
        }
        acts.begin_again();
    };
    if read.unreadable > 0 {
        let count = read.unreadable;
        eprintln!(
            "error: {count} lines or parts of the store cannot be read: see `ringfort audit search kind=unreadable` and \
             `ringfort audit verify`"
        );
    }
    if read.events == 0 {
        eprintln!("error: no audit event was found");
    }
    Ok((read.unreadable, read.unreadable > 0 || read.events == 0))
}

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Told<'s> {
    version: u32,
    unjudged: u64,
    #[serde(flatten)]
    story: &'s Story,
}

fn text(subject: &str, story: &Story) -> String {
    let mut text = format!("{subject}: {} requests\n", story.own.len());
    text.push_str(&lines(&story.own));
    if !story.credentials.is_empty() {
        text.push_str("credentials, and where each was used\n");
    }
    for (id, sources) in &story.credentials {
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        text.push_str(&format!("  {id}: {}\n", sources.join(", ")));
    }
    if !story.inherited.is_empty() {
        let count = story.inherited.len();
        text.push_str(&format!("with tokens that it asked for: {count} requests\n"));
        text.push_str(&lines(&story.inherited));
    }
    text
}

/// A line for each thing that was done, in the order in which it was done first.
fn lines(acts: &[Act]) -> String {
    let mut order: Vec<(&Act, u64)> = Vec::new();
    let mut known = BTreeMap::new();
    for act in acts {
        let key = (
            &act.user,
            &act.impersonated,
            &act.source,
            &act.verb,
            &act.object,
            act.code,
            &act.issued,
        );
        let at = *known.entry(key).or_insert_with(|| {
            order.push((act, 0));
            order.len() - 1
        });
        order[at].1 += 1;
    }
    order.iter().map(|(act, times)| line(act, *times)).collect()
}

fn line(act: &Act, times: u64) -> String {
    let time = if act.time.is_empty() { "(no time)" } else { &act.time };
    let mut line = format!("  {time} {}", act.user);
    if let Some(user) = &act.impersonated {
        line.push_str(&format!(" as {user}"));
    }
    if let Some(pod) = &act.pod {
        line.push_str(&format!(" with the token of pod {pod}"));
    }
    line.push_str(&format!(" from {}: {} {}: {}", act.source, act.verb, act.object, act.code));
    if let Some(token) = &act.issued {
        line.push_str(&format!(", was given the token {token}"));
    }
    if times > 1 {
        line.push_str(&format!(" ({times} times)"));
    }
    line.chars().filter(|letter| !letter.is_control()).collect::<String>() + "\n"
}
