//! `ringfort audit verify`: whether what was kept is complete and unaltered.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use ringfort_pki::Ed25519Public;
use ringfort_store::format::checkpoint::{Signed, hex, unhex};
use ringfort_store::format::verify::{Interval, Report, Unseen};
use ringfort_store::format::witness::Note;
use ringfort_store::os::{Missing, public_key, verify};

use super::stored::StoreArg;
use super::{json, plain};
use crate::cli::files::Unread;
use crate::cli::{Fault, print};

/// Say whether what was kept is complete and unaltered, and else where it is not
///
/// Every entry is chained to the one before it and every sealed segment is signed. Who can write to the store can
/// exchange all of it with its key: --key says which key is meant, as `ringfort audit collect` told it at its
/// first start. Who has the key can rewrite the log: --witness compares with what another machine saw of it, and says
/// which intervals no witness has seen, or saw late. The witness's own file (`seen.NAME`) tells a log that was shortened
/// or rewritten from its start; the file that the machine keeps (`witnessed`) could be shortened as well.
///
/// What a witness that counts told to this store is said as well: from when to when events of a machine's log did not
/// come. What is missing of one control plane's log is kept at the one that witnesses it, so verify all of them.
///
/// Exit codes: 0 complete and unaltered, 1 not, 2 usage, 3 it cannot be looked at, was not compared with
/// any key, or has segments that none of the witnesses has seen.
#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The key of who collected it: 64 hexadecimal digits
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Option<Ed25519Public>,
    /// A witness's key and a file of checkpoints that it countersigned; may be given more than once
    #[arg(long = "witness", value_name = "KEY=FILE", value_parser = witness)]
    witnesses: Vec<(Ed25519Public, PathBuf)>,
    /// Write an object for programs
    #[arg(long)]
    json: bool,
}

fn key(text: &str) -> Result<Ed25519Public, String> {
    unhex(text).map(Ed25519Public).ok_or_else(|| "a key has 64 hexadecimal digits".to_owned())
}

fn witness(text: &str) -> Result<(Ed25519Public, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write KEY=FILE")?;
    Ok((key(name)?, file.into()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'t> {
    version: u32,
    key: String,
    /// Whether somebody said which key is meant.
    is_key_known: bool,
    #[serde(flatten)]
    report: &'t Report,
    /// What witnesses that count said did not come.
    missing: &'t [Missing],
}

const VERSION: u32 = 1;

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, Fault> {
    let store = args.store.path()?;
    let key = match args.key {
        Some(key) => key,
        None => public_key(&store).map_err(|error| {
            Fault::blind(Unread::of(&store.join("key.pub"), &error.to_string()))
        })?,
    };
    let mut witnesses = Vec::new();
    for (witness, path) in &args.witnesses {
        witnesses.extend(seen(path)?.into_iter().map(|signed| (signed, *witness)));
    }
    let report = verify(&store, key, &witnesses).map_err(Fault::blind)?;
    let missing = Missing::of(&store).map_err(Fault::blind)?;
    let is_key_known = args.key.is_some();
    let (key, missing) = (hex(&key.0), missing.as_slice());
    print(&match args.json {
        true => {
            let (version, key, report) = (VERSION, key.clone(), &report);
            json(&Told { version, key, is_key_known, report, missing })?
        }
        false => text(&report, missing),
    });
    if !is_key_known {
        eprintln!(
            "error: nobody said which key is meant, so that all may have been exchanged; the store says --key {key}"
        );
    }
    let is_unseen = report.unseen.iter().any(|unseen| unseen.seen.is_none());
    let is_complete = report.wrong.is_empty() && missing.is_empty();
    Ok(ExitCode::from(match (is_complete, is_key_known && !is_unseen) {
        (false, _) => 1,
        (true, false) => 3,
        (true, true) => 0,
    }))
}

/// Reads what a witness saw: one checkpoint, or the notes of many. What it refused is told, and proves nothing.
fn seen(path: &Path) -> Result<Vec<Signed>, Fault> {
    let unread = |why: &dyn std::fmt::Display| Fault::usage(Unread::of(path, why));
    let bytes = std::fs::read(path).map_err(|error| unread(&error))?;
    if let Some(signed) = Signed::read(&bytes) {
        return Ok(vec![signed]);
    }
    let mut all = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let note = Note::read(line).ok_or_else(|| unread(&"a line of it is no checkpoint"))?;
        match note.refused {
            Some(why) => eprintln!("{}: {}: {}", path.display(), plain(&note.machine), plain(&why)),
            None => all.push(note.signed),
        }
    }
    match all.is_empty() {
        true => Err(Fault::blind(Unread::of(path, &"no witness has signed anything in it"))),
        false => Ok(all),
    }
}

fn text(report: &Report, missing: &[Missing]) -> String {
    let wrong = report.wrong.iter().map(interval).chain(report.unseen.iter().map(unseen));
    let mut text: String = wrong.chain(missing.iter().map(missed)).collect();
    text.push_str(&format!(
        "{} sealed segments with {} entries as they were sealed, {} entries not sealed yet; removed {} segments with {} entries",
        report.segments, report.entries, report.open, report.removed, report.removed_entries
    ));
    if report.torn > 0 {
        text.push_str(&format!("; a write of {} bytes did not end", report.torn));
    }
    if report.witnessed > 0 {
        text.push_str(&format!("; {} checkpoints as witnesses saw them", report.witnessed));
    }
    text.push_str(&format!("; wrong {}\n", report.wrong.len()));
    text
}

fn interval(Interval { segment, entries, times, wrong }: &Interval) -> String {
    format!("segment {segment}{}: {wrong}\n", extent(*entries, *times))
}

fn missed(Missing { machine, times: (since, told), said, .. }: &Missing) -> String {
    let time = |second| jiff::Timestamp::from_second(second).unwrap_or_default();
    let since = since.map(|since| format!("{} ", time(since))).unwrap_or_default();
    format!("log of {}, {since}to {}: {}\n", plain(machine), time(*told), plain(said))
}

fn unseen(Unseen { segments: (first, last), entries, times, seen }: &Unseen) -> String {
    let segments = match first == last {
        true => format!("segment {first}"),
        false => format!("segments {first} to {last}"),
    };
    let seen = match seen.and_then(|at| jiff::Timestamp::from_second(at).ok()) {
        Some(at) => format!("a witness saw it late, at {at:.0}"),
        None => "no witness has seen it".to_owned(),
    };
    format!("{segments}{}: {seen}\n", extent(Some(*entries), *times))
}

fn extent(entries: Option<(u64, u64)>, times: Option<(i64, i64)>) -> String {
    let mut text = String::new();
    if let Some((first, last)) = entries {
        text.push_str(&format!(", entries {first} to {last}"));
    }
    let time = |time: i64| jiff::Timestamp::from_microsecond(time).ok();
    if let Some((Some(first), Some(last))) = times.map(|it| (time(it.0), time(it.1))) {
        text.push_str(&format!(", {first:.0} to {last:.0}"));
    }
    text
}
