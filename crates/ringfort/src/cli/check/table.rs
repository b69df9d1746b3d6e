//! A report for people: each place that is not as it should be, with an excerpt, why that matters and what
//! to change.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use ringfort_check::report::{Finding, InFile, Place, Report, Since, Unknown, sentence};
use ringfort_model::severity::Severity;
use ringfort_spec::{Grade, Paint, Problem, Report as Drawn};

use super::tree::File;

/// Writes a report with excerpts of files.
pub(super) fn write<'t>(
    report: &Report,
    files: impl Iterator<Item = &'t File>,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut of_file: BTreeMap<&str, Vec<Problem>> = BTreeMap::new();
    for it in report.unknown.iter().filter(|it| it.since != Some(Since::Before)) {
        tell(&it.place, of_unknown(report, it), &mut of_file);
    }
    for it in report.findings.iter().filter(|it| it.since != Some(Since::Before)) {
        tell(&it.place, of_finding(report, it), &mut of_file);
    }
    for file in files {
        if let Some(problems) = of_file.remove(&*file.name) {
            writeln!(out, "{}", Drawn::new(&file.name, &file.text, problems).render(paint))?;
        }
    }
    if let Some(compared) = &report.baseline {
        for it in &compared.gone {
            writeln!(out, "gone[{}]: {}", it.control, it.said())?;
        }
    }
    writeln!(out, "{}", report.in_a_line())?;
    report.left_out.iter().try_for_each(|it| writeln!(out, "{}", it.in_a_line()))
}

/// A grade, a code, a message and a help.
type Said = (Grade, &'static str, String, String);

fn of_finding(report: &Report, it: &Finding) -> Said {
    let why = report.row(it.control).map(|row| sentence(&row.about.why)).unwrap_or_default();
    let grade = match it.severity {
        Severity::Critical | Severity::High => Grade::Error,
        Severity::Medium => Grade::Warning,
        Severity::Low => Grade::Note,
    };
    let said = format!("{} ({})", sentence(it.title), it.severity);
    (grade, it.control, said, format!("{}\nwhy: {why}", it.fix))
}

fn of_unknown(report: &Report, it: &Unknown) -> Said {
    match it.control {
        None => (Grade::Warning, "unreadable", it.said.clone(), it.closes.clone()),
        Some(control) => {
            let title = report.row(control).map(|row| sentence(row.title)).unwrap_or_default();
            let help = format!("{}; {}", it.said, it.closes);
            (Grade::Warning, control, format!("unknown whether {title}"), help)
        }
    }
}

/// Says something of a place in a file; other places have no excerpt.
fn tell<'r>(place: &'r Place, said: Said, of_file: &mut BTreeMap<&'r str, Vec<Problem>>) {
    let Place::File(InFile { file, span, at, .. }) = place else { return };
    let (grade, code, message, help) = said;
    let whose = format!("{} {}", at.object.kind, at.object.name);
    let label = match &at.missing {
        None => whose.trim().to_owned(),
        Some(missing) => format!("{whose}: {missing} is not set"),
    };
    let start = span.offset as usize;
    let problem = Problem::new(code, start..start + span.length as usize, message);
    let file: &Arc<str> = file;
    of_file.entry(file).or_default().push(problem.grade(grade).label(label).help(help));
}
