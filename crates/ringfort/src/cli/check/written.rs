//! How a report is written, and to whom: standard output, and the cache beside it.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use jiff::civil::Date;
use ringfort_check::report::{Oscal, Report, Sarif, html, junit, markdown};
use ringfort_spec::Paint;
use serde::Serialize;

use super::cache::{Entry, Kept};
use super::table;
use super::tree::File;

/// How a report is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people: each place that is not as it should be, why that matters, and what to change
    Table,
    /// An object: counts for each control, findings, what is unknown, what was not read
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for build servers
    Junit,
    /// OSCAL assessment-results, for auditors
    Oscal,
    /// One page for browsers, which needs nothing else
    Html,
    /// Markdown, for pull requests
    Markdown,
}

impl Format {
    /// Writes a report.
    pub(super) fn write<'t>(
        self,
        report: &Report,
        files: impl Iterator<Item = &'t File>,
        paint: Paint,
        day: Date,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self {
            Self::Table => table::write(report, files, paint, out),
            Self::Json => json(report, out),
            Self::Sarif => json(&Sarif(report), out),
            Self::Oscal => json(&Oscal { report, day }, out),
            Self::Junit => out.write_all(junit(report).as_bytes()),
            Self::Html => out.write_all(html(report).as_bytes()),
            Self::Markdown => out.write_all(markdown(report).as_bytes()),
        }
    }
}

fn json(value: &impl Serialize, mut out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, value)?;
    out.write_all(b"\n")
}

/// Standard output, and what is kept of it.
pub(super) struct Output {
    stdout: BufWriter<io::Stdout>,
    /// A reader that has gone, as `head` does, wants no more.
    is_read: bool,
    entry: Option<Entry>,
}

impl Output {
    pub(super) fn new(entry: Option<Entry>) -> Self {
        Self { stdout: BufWriter::with_capacity(1 << 16, io::stdout()), is_read: true, entry }
    }

    /// Keeps what was said, with what was told beside it.
    pub(super) fn finish(mut self, told: &str, code: u8) {
        let _ = self.stdout.flush();
        if let Some(entry) = self.entry {
            entry.finish(told, code);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_read = self.is_read && self.stdout.write_all(bytes).is_ok();
        if let Some(entry) = &mut self.entry {
            entry.write(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says again what was kept.
pub(super) fn again(kept: &Kept) -> ExitCode {
    eprint!("{}", kept.told());
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(kept.said()).and_then(|()| stdout.flush());
    ExitCode::from(kept.code())
}
