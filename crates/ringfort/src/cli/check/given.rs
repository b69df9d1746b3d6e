//! What is given beside the manifests: waivers, and the report of a run before.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ringfort_check::guideline::Guideline;
use ringfort_check::guidelines::GUIDELINES;
use ringfort_check::report::{Baseline, InFile, InObject, Named, Place, Whose};
use ringfort_check::waivers::{self, Waivers};
use ringfort_facts::manifest::{self, Document, Lines};
use ringfort_spec::{Paint, Problem, Report};

use super::place;
use super::tree::{File, span};
use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// Waivers, and the file that they stand in.
pub(in crate::cli) struct Given {
    pub(super) file: File,
    pub(in crate::cli) waivers: Waivers,
}

/// Gives the day, by the clock of the world.
pub(in crate::cli) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Reads waivers.
pub(in crate::cli) fn waivers(path: &Path, today: Date) -> Result<Given, Fault> {
    let file = File::of(path).map_err(Fault::usage)?;
    let documents =
        manifest::read(&file.text).map_err(|error| Fault::usage(Unread::of(path, &error)))?;
    let known: Vec<&str> = GUIDELINES.iter().map(|guideline: &&Guideline| guideline.id).collect();
    let lines = Lines::new(&file.text);
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for document in &documents {
        match waivers::read(document.value(), &known) {
            Ok(read) => all.extend(
                read.into_iter()
                    .map(|(pointer, waiver)| (in_file(&file, &lines, document, &pointer), waiver)),
            ),
            Err(unclear) => wrong.extend(unclear.into_iter().map(|it| {
                let (range, _) = place(document, &it.pointer);
                Problem::new("waiver", range, it.why).help(it.help)
            })),
        }
    }
    if !wrong.is_empty() {
        let report = Report::new(&file.name, &file.text, wrong);
        return Err(Fault::usage(report.render(Paint::Plain)));
    }
    Ok(Given { waivers: Waivers { all, today }, file })
}

fn in_file(file: &File, lines: &Lines<'_>, document: &Document, pointer: &str) -> Place {
    let (range, _) = place(document, &format!("{pointer}/control"));
    let Named { pointer: named, .. } = Named::of(document.value(), pointer);
    let nobody = Whose { kind: String::new(), namespace: None, name: String::new() };
    let control = &document.value().pointer(pointer).map(|it| it["control"].to_string());
    let at = InObject {
        object: Arc::new(nobody),
        container: None,
        pointer: pointer.into(),
        field: pointer.trim_start_matches('/').replace('/', ".").into(),
        missing: None,
        // Its number changes when others go: it is known by its control.
        named: control.clone().unwrap_or_else(|| named.to_string()).into(),
    };
    let number = u32::try_from(document.index()).unwrap_or(u32::MAX);
    Place::File(InFile {
        file: Arc::clone(&file.name),
        span: span(lines, range),
        document: number,
        at,
    })
}

/// Reads what a run before said, as text.
pub(super) fn baseline_text(path: Option<&PathBuf>) -> Result<Option<String>, Fault> {
    path.map(|path| files::text(path).map_err(Fault::usage)).transpose()
}

/// Reads what a run before said.
pub(super) fn baseline(path: &Path, text: &str) -> Result<Baseline, Fault> {
    Baseline::read(text).map_err(|error| Fault::usage(Unread::of(path, &error)))
}
