//! The report as JUnit's XML, which build servers show: a suite for each control, a case for each place.

use super::{Finding, Place, Report, Row, Unknown, Waived};

/// Writes a report as JUnit's XML.
pub fn junit(report: &Report) -> String {
    let mut cases = Cases::of(report);
    let unread = Suite { name: "unread".to_owned(), cases: cases.unread() };
    let unreadable = Suite { name: "unreadable".to_owned(), cases: cases.of_no_control() };
    let mut suites: Vec<Suite> =
        report.controls.iter().enumerate().map(|(at, row)| cases.suite(at, row)).collect();
    suites.extend([unreadable, unread].into_iter().filter(|suite| !suite.cases.is_empty()));
    document(&suites)
}

/// Writes suites of cases.
pub(super) fn document(suites: &[Suite]) -> String {
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str(&format!("<testsuites name=\"ringfort check\" {}>\n", counts(all())));
    for suite in suites {
        let name = attribute(&suite.name);
        xml.push_str(&format!("  <testsuite name=\"{name}\" {}>\n", counts(suite.cases.iter())));
        suite.cases.iter().for_each(|case| xml.push_str(&case.xml(&suite.name)));
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

/// What belongs together.
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) cases: Vec<Case>,
}

/// What is told by itself.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// The file and the line, where it is in one.
    pub(super) place: Option<(String, u32)>,
}

/// What a case comes to.
pub(super) enum Outcome {
    Passed,
    Failed {
        grade: String,
        said: String,
        text: String,
    },
    /// It could not be decided: that is no pass.
    Unknown {
        said: String,
        text: String,
    },
    Skipped {
        said: String,
    },
}

/// What belongs to each row, found once.
struct Cases<'r> {
    report: &'r Report,
    findings: Vec<Vec<&'r Finding>>,
    unknown: Vec<Vec<&'r Unknown>>,
    waived: Vec<Vec<&'r Waived>>,
    unreadable: Vec<&'r Unknown>,
}

impl<'r> Cases<'r> {
    fn of(report: &'r Report) -> Self {
        let rows = report.controls.len();
        let mut cases = Self {
            report,
            findings: vec![Vec::new(); rows],
            unknown: vec![Vec::new(); rows],
            waived: vec![Vec::new(); rows],
            unreadable: Vec::new(),
        };
        let at = |id: &str| report.controls.binary_search_by_key(&id, |row| row.control).ok();
        for it in &report.findings {
            if let Some(at) = at(it.control) {
                cases.findings[at].push(it);
            }
        }
        for it in &report.waived {
            if let Some(at) = at(it.finding.control) {
                cases.waived[at].push(it);
            }
        }
        for it in &report.unknown {
            match it.control.and_then(at) {
                Some(at) => cases.unknown[at].push(it),
                None => cases.unreadable.push(it),
            }
        }
        cases
    }

    fn suite(&mut self, at: usize, row: &Row) -> Suite {
        let failed = self.findings[at].iter().map(|it| {
            let text = format!("{}\nwhy: {}\nfix: {}", it.place.said(), row.about.why, it.fix);
            let (grade, said) = (it.severity.to_string(), format!("{}: {}", it.title, it.fix));
            Case::new(&it.place, Outcome::Failed { grade, said, text })
        });
        let unknown = self.unknown[at].iter().map(|it| of_unknown(it));
        let waived = self.waived[at]
            .iter()
            .map(|it| Case::new(&it.finding.place, Outcome::Skipped { said: it.waiver.said() }));
        let mut cases: Vec<Case> = failed.chain(unknown).chain(waived).collect();
        let whole = |name: String, outcome| Case { name, outcome, place: None };
        match (row.counts.passed, row.counts.not_applicable) {
            (0, 0) => {}
            (0, spared) if cases.is_empty() => {
                let said = "nothing that it asks anything of".to_owned();
                cases.push(whole(format!("objects spared: {spared}"), Outcome::Skipped { said }));
            }
            (0, _) => {}
            (passed, _) => cases.push(whole(format!("objects passed: {passed}"), Outcome::Passed)),
        }
        Suite { name: row.control.to_owned(), cases }
    }

    fn of_no_control(&mut self) -> Vec<Case> {
        self.unreadable.iter().map(|it| of_unknown(it)).collect()
    }

    fn unread(&mut self) -> Vec<Case> {
        let unread = self.report.unread.iter().map(|said| Case {
            name: said.clone(),
            outcome: Outcome::Unknown { said: said.clone(), text: String::new() },
            place: None,
        });
        unread.collect()
    }
}

fn of_unknown(it: &Unknown) -> Case {
    let text = format!("{}\nto decide it: {}", it.place.said(), it.closes);
    Case::new(&it.place, Outcome::Unknown { said: it.said.clone(), text })
}

impl Case {
    fn new(place: &Place, outcome: Outcome) -> Self {
        let line = match place {
            Place::File(it) => Some((it.file.to_string(), it.span.line)),
            Place::Api(_) | Place::Node(_) => None,
        };
        Self { name: format!("{} {}", place.whose(), place.field()), outcome, place: line }
    }

    fn xml(&self, suite: &str) -> String {
        let place = self
            .place
            .as_ref()
            .map(|(file, line)| format!(" file=\"{}\" line=\"{line}\"", attribute(file)));
        let begin = format!(
            "    <testcase name=\"{}\" classname=\"{}\"{}",
            attribute(&self.name),
            attribute(suite),
            place.unwrap_or_default()
        );
        let inner = match &self.outcome {
            Outcome::Passed => return format!("{begin}/>\n"),
            Outcome::Failed { grade, said, text } => format!(
                "<failure message=\"{}\" type=\"{grade}\">{}</failure>",
                attribute(said),
                escaped(text)
            ),
            Outcome::Unknown { said, text } => format!(
                "<error message=\"{}\" type=\"unknown\">{}</error>",
                attribute(said),
                escaped(text)
            ),
            Outcome::Skipped { said } => format!("<skipped message=\"{}\"/>", attribute(said)),
        };
        format!("{begin}>{inner}</testcase>\n")
    }
}

fn counts<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            Outcome::Passed => {}
            Outcome::Failed { .. } => failures += 1,
            Outcome::Unknown { .. } => errors += 1,
            Outcome::Skipped { .. } => skipped += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

/// Writes a text so that XML takes it for text. What XML cannot hold at all is shown as lost.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(letter),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ => safe.push(letter),
        }
    }
    safe
}

/// Writes a text as an attribute, where a line's end would become a space.
fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}
