//! `ringfort audit verify`: whether what was kept is complete and unaltered.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use ringfort_pki::Ed25519Public;
use ringfort_store::format::checkpoint::{Signed, hex, unhex};
use ringfort_store::format::verify::{Interval, Report};
use ringfort_store::os::{public_key, verify};

use super::json;
use crate::cli::files::Unread;
use crate::cli::{Fault, print};

/// Say whether what was kept is complete and unaltered, and else where it is not
///
/// Every entry is chained to the one before it and every sealed segment is signed. Who can write to the store can
/// exchange all of it with its key: --key says which key is meant, as `ringfort audit collect` told it at its
/// first start. Who has the key can rewrite the log: --witness compares with what another machine saw of it.
///
/// Exit codes: 0 complete and unaltered, 1 not, 2 usage, 3 it cannot be looked at, or was not compared with
/// any key.
#[derive(Args)]
pub struct VerifyArgs {
    /// Where it is kept
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// The key of who collected it: 64 hexadecimal digits
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Option<Ed25519Public>,
    /// A witness's key and a file of the checkpoint that it countersigned; may be given more than once
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
}

const VERSION: u32 = 1;

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, Fault> {
    let key = match args.key {
        Some(key) => key,
        None => public_key(&args.store).map_err(|error| {
            Fault::blind(Unread::of(&args.store.join("key.pub"), &error.to_string()))
        })?,
    };
    let mut witnesses = Vec::new();
    for (witness, path) in &args.witnesses {
        let unread = |why: &str| Fault::usage(Unread::of(path, &why));
        let bytes = std::fs::read(path).map_err(|error| unread(&error.to_string()))?;
        let signed = Signed::read(&bytes).ok_or_else(|| unread("it is no checkpoint"))?;
        witnesses.push((signed, *witness));
    }
    let report = verify(&args.store, key, &witnesses).map_err(Fault::blind)?;
    let is_key_known = args.key.is_some();
    print(&match args.json {
        true => json(&Told { version: VERSION, key: hex(&key.0), is_key_known, report: &report })?,
        false => text(&report),
    });
    if !is_key_known {
        eprintln!(
            "error: nobody said which key is meant, so that all may have been exchanged; the store says --key {}",
            hex(&key.0)
        );
    }
    Ok(ExitCode::from(match (report.wrong.is_empty(), is_key_known) {
        (false, _) => 1,
        (true, false) => 3,
        (true, true) => 0,
    }))
}

fn text(report: &Report) -> String {
    let mut text: String = report.wrong.iter().map(interval).collect();
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

fn interval(wrong: &Interval) -> String {
    let mut text = format!("segment {}", wrong.segment);
    if let Some((first, last)) = wrong.entries {
        text.push_str(&format!(", entries {first} to {last}"));
    }
    let time = |time: i64| jiff::Timestamp::from_microsecond(time).ok();
    if let Some((Some(first), Some(last))) = wrong.times.map(|it| (time(it.0), time(it.1))) {
        text.push_str(&format!(", {first:.0} to {last:.0}"));
    }
    format!("{text}: {}\n", wrong.wrong)
}
