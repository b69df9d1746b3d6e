//! The report as OSCAL assessment-results, which auditors' tools read
//! (<https://pages.nist.gov/OSCAL/concepts/layer/assessment/assessment-results/>): a finding for each control
//! that decides anything, and an observation for each place and for all that was not read.

use jiff::civil::Date;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{PROGRAM_VERSION, Place, Report, Row, Verdict};

/// A report, to be written as OSCAL. OSCAL wants a time: it is the beginning of the day that is given.
#[derive(Clone, Copy, Debug)]
pub struct Oscal<'r> {
    /// The report.
    pub report: &'r Report,
    /// The day.
    pub day: Date,
}

/// What OSCAL writes around observations and findings.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Document<O> {
    assessment_results: Results<O>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Results<O> {
    uuid: Uuid,
    metadata: Value,
    import_ap: Value,
    results: [Outcome<O>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Outcome<O> {
    uuid: Uuid,
    title: &'static str,
    description: String,
    start: String,
    props: Vec<Value>,
    reviewed_controls: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    observations: Option<O>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remarks: Option<String>,
}

/// What was assessed, and what came of it.
pub(super) struct Told<O> {
    pub(super) title: &'static str,
    /// All of it in a line.
    pub(super) said: String,
    pub(super) profile: String,
    /// The ids of the controls.
    pub(super) controls: Vec<String>,
    /// None where there are none.
    pub(super) observations: Option<O>,
    pub(super) findings: Vec<Value>,
    pub(super) remarks: Option<String>,
}

/// Gives the time that is written for a day.
pub(super) fn beginning(day: Date) -> String {
    format!("{day}T00:00:00Z")
}

/// Puts what was assessed at a time into a document.
pub(super) fn document<O: Serialize>(told: Told<O>, time: &str) -> Document<O> {
    let Told { title, said, profile, controls, observations, findings, remarks } = told;
    let seed = format!("{said} {profile} {time}");
    let metadata = json!({
        "title": "What ringfort check found",
        "last-modified": time,
        "version": "1",
        "oscal-version": "1.2.3",
        "props": [prop("program", &format!("ringfort {PROGRAM_VERSION}"))],
    });
    let outcome = Outcome {
        uuid: id(&format!("result {seed}")),
        title,
        description: filled(&format!("{said}.")),
        start: time.to_owned(),
        props: vec![prop("profile", &profile)],
        reviewed_controls: reviewed(&controls),
        observations,
        findings,
        remarks,
    };
    let results = Results {
        uuid: id(&format!("results {seed}")),
        metadata,
        // There is no plan beside the command line; the schema wants a reference.
        import_ap: json!({ "href": "#", "remarks": "The plan is the command line: no document of its own." }),
        results: [outcome],
    };
    Document { assessment_results: results }
}

impl Serialize for Oscal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.report;
        let time = beginning(self.day);
        let observations = Observations { report, time: time.clone() };
        let told = Told {
            title: "Controls of Kubernetes objects",
            said: report.in_a_line(),
            profile: report.profile.clone(),
            controls: report.controls.iter().map(|row| row.control.to_owned()).collect(),
            observations: (!observations.is_empty()).then_some(observations),
            findings: findings(report),
            remarks: None,
        };
        document(told, &time).serialize(serializer)
    }
}

/// Names something by what it is, so that the same report has the same ids.
pub(super) fn id(of: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("https://ringfort.dev/check/{of}").as_bytes())
}

/// A control's id as OSCAL writes names, which have no stroke.
fn token(control: &str) -> String {
    control.replace('/', ".")
}

pub(super) fn prop(name: &str, value: &str) -> Value {
    json!({ "name": name, "ns": "https://ringfort.dev/ns/oscal", "value": filled(value) })
}

/// OSCAL's texts are not empty, on one line, and have no space around them.
pub(super) fn filled(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.is_empty() { "none".to_owned() } else { flat }
}

fn reviewed(controls: &[String]) -> Value {
    let controls: Vec<Value> =
        controls.iter().map(|control| json!({ "control-id": token(control) })).collect();
    match controls.is_empty() {
        true => json!({ "control-selections": [{ "include-all": {} }] }),
        false => json!({ "control-selections": [{ "include-controls": controls }] }),
    }
}

struct Observations<'r> {
    report: &'r Report,
    time: String,
}

impl Observations<'_> {
    fn is_empty(&self) -> bool {
        let Report { findings, waived, unknown, unread, .. } = self.report;
        findings.is_empty() && waived.is_empty() && unknown.is_empty() && unread.is_empty()
    }

    fn one(
        &self,
        uuid: Uuid,
        title: &str,
        description: &str,
        place: &Place,
        props: Vec<Value>,
    ) -> Value {
        let mut all = vec![
            prop("place", &place.said()),
            prop("object", &place.whose()),
            prop("field", place.field()),
        ];
        all.extend(props);
        observation(uuid, (title, description), &all, &self.time)
    }
}

/// Writes an observation by its title and what was seen.
pub(super) fn observation(
    uuid: Uuid,
    (title, said): (&str, &str),
    props: &[Value],
    time: &str,
) -> Value {
    json!({
        "uuid": uuid,
        "title": filled(title),
        "description": filled(said),
        "props": props,
        "methods": ["TEST"],
        "collected": time,
    })
}

impl Serialize for Observations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Report { findings, waived, unknown, unread, .. } = self.report;
        let failed = findings.iter().map(|it| {
            let said = format!("{}; to mend it: {}", it.place.field(), it.fix);
            let props = vec![prop("severity", &it.severity.to_string())];
            self.one(failed_id(it.fingerprint), it.title, &said, &it.place, props)
        });
        let waived = waived.iter().map(|it| {
            let (finding, by) = (&it.finding, &it.waiver);
            let props = vec![
                prop("severity", &finding.severity.to_string()),
                prop("waiver-owner", &by.owner),
                prop("waiver-expires", &by.expires),
            ];
            let said = format!("waived by {}: {}", by.owner, by.reason);
            let uuid = failed_id(finding.fingerprint);
            self.one(uuid, finding.title, &said, &finding.place, props)
        });
        let unknown = unknown.iter().map(|it| {
            let said = format!("unknown: {}; to decide it: {}", it.said, it.closes);
            let title = it.control.unwrap_or("unreadable");
            self.one(unknown_id(it.fingerprint), title, &said, &it.place, Vec::new())
        });
        let unread = unread.iter().map(|it| {
            json!({
                "uuid": unread_id(it),
                "title": "unread",
                "description": filled(&format!("unknown: this was not read: {it}")),
                "methods": ["TEST"],
                "collected": self.time,
            })
        });
        serializer.collect_seq(failed.chain(waived).chain(unknown).chain(unread))
    }
}

fn failed_id(fingerprint: impl std::fmt::Display) -> Uuid {
    id(&format!("finding {fingerprint}"))
}

fn unknown_id(fingerprint: impl std::fmt::Display) -> Uuid {
    id(&format!("unknown {fingerprint}"))
}

fn unread_id(unread: &str) -> Uuid {
    id(&format!("unread {unread}"))
}

/// One finding for each control that came to anything. What is unknown is not satisfied, with the reason.
fn findings(report: &Report) -> Vec<Value> {
    let mut related: Vec<Vec<Value>> = vec![Vec::new(); report.controls.len()];
    let mut relate = |control: &str, uuid: Uuid| {
        if let Ok(at) = report.controls.binary_search_by_key(&control, |row| row.control) {
            related[at].push(json!({ "observation-uuid": uuid }));
        }
    };
    let waived = report.waived.iter().map(|it| &it.finding);
    for it in report.findings.iter().chain(waived) {
        relate(it.control, failed_id(it.fingerprint));
    }
    for it in &report.unknown {
        relate(it.control.unwrap_or_default(), unknown_id(it.fingerprint));
    }
    // What nobody could read leaves every control unknown that nothing else decides.
    let unread = report.unread.iter().map(|it| unread_id(it));
    let of_none = report.unknown.iter().filter(|it| it.control.is_none());
    let unseen: Vec<Value> = of_none
        .map(|it| unknown_id(it.fingerprint))
        .chain(unread)
        .map(|it| json!({ "observation-uuid": it }))
        .collect();
    let is_open = |row: &Row| row.verdict == Verdict::Unknown;
    for (_, related) in report.controls.iter().zip(&mut related).filter(|(row, _)| is_open(row)) {
        related.extend(unseen.iter().cloned());
    }
    let rows = report.controls.iter().zip(related);
    rows.filter_map(|(row, related)| finding(row, related)).collect()
}

/// Says whether a control is satisfied; nothing where it asks nothing.
pub(super) fn target(control: &str, verdict: Verdict, remarks: &str) -> Option<Value> {
    let (state, reason) = match verdict {
        Verdict::Pass => ("satisfied", "pass"),
        Verdict::Fail => ("not-satisfied", "fail"),
        Verdict::Unknown | Verdict::Waived => ("not-satisfied", "other"),
        Verdict::NotApplicable => return None,
    };
    Some(json!({
        "type": "objective-id",
        "target-id": token(control),
        "status": { "state": state, "reason": reason, "remarks": remarks },
    }))
}

fn finding(row: &Row, related: Vec<Value>) -> Option<Value> {
    let counts = &row.counts;
    let remarks = format!(
        "{}: passed {}, failed {}, unknown {}, waived {}, not applicable {}",
        row.verdict.word(),
        counts.passed,
        counts.failed,
        counts.unknown,
        counts.waived,
        counts.not_applicable
    );
    let target = target(row.control, row.verdict, &remarks)?;
    let answers =
        row.answers.iter().map(|it| prop("answers", &format!("{}/{}", it.benchmark, it.id)));
    let mut props =
        vec![prop("severity", &row.severity.to_string()), prop("verdict", row.verdict.word())];
    props.extend(answers);
    let mut finding = json!({
        "uuid": id(&format!("control {} {remarks}", row.control)),
        "title": row.title,
        "description": filled(&format!("{}. {}.", row.title, row.about.why)),
        "props": props,
        "target": target,
    });
    if !related.is_empty() {
        finding["related-observations"] = Value::Array(related);
    }
    Some(finding)
}
