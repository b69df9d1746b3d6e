//! The report as SARIF 2.1.0, which code scanning and editors read
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>). It is written result by result, so
//! that a large report is never held twice.

use ringfort_model::severity::Severity;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{Answer, Finding, PROGRAM_VERSION, Place, Report, Row, Since, Unknown};

/// A report, to be written as SARIF.
#[derive(Clone, Copy, Debug)]
pub struct Sarif<'r>(pub &'r Report);

/// What SARIF writes around the results of a run.
#[derive(Serialize)]
pub(super) struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<R>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<R> {
    tool: Value,
    invocations: [Value; 1],
    original_uri_base_ids: Value,
    column_kind: &'static str,
    results: R,
}

/// Puts results and their rules into a log. Paths are below the roots.
pub(super) fn log<R: Serialize>(
    rules: &[Value],
    invocation: Value,
    roots: Value,
    results: R,
) -> Log<R> {
    let run = Run {
        tool: json!({
            "driver": { "name": "ringfort", "version": PROGRAM_VERSION, "rules": rules },
        }),
        invocations: [invocation],
        original_uri_base_ids: roots,
        column_kind: "unicodeCodePoints",
        results,
    };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

impl Serialize for Sarif<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let root = json!({ "SRCROOT": { "description": { "text": ROOT } } });
        let rules: Vec<Value> = self.0.controls.iter().map(rule).chain([unreadable()]).collect();
        log(&rules, invocation(self.0), root, Results(self.0)).serialize(serializer)
    }
}

const ROOT: &str = "where the command was run; of objects of a cluster, the cluster, which has them by these paths";
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

fn rule(row: &Row) -> Value {
    let Row { control, title, severity, answers, about, .. } = row;
    let mut tags = vec!["kubernetes".to_owned(), "security".to_owned(), severity.to_string()];
    tags.extend(answers.iter().map(|it| format!("{}/{}", it.benchmark, it.id)));
    let mut rule = json!({
        "id": control,
        "name": control,
        "shortDescription": { "text": format!("{title}.") },
        "help": { "text": about.doc.trim(), "markdown": about.doc.trim() },
        "defaultConfiguration": { "level": level(*severity) },
        "properties": { "tags": tags, "security-severity": grade(*severity) },
    });
    if !about.why.is_empty() {
        rule["fullDescription"] = json!({ "text": format!("{}.", about.why) });
    }
    if let Some(page) = about.references.iter().find(|it| it.starts_with("https://")) {
        rule["helpUri"] = json!(page);
    }
    rule
}

/// The rule of what cannot be read as Kubernetes would, whatever is asked of it.
fn unreadable() -> Value {
    json!({
        "id": UNREADABLE,
        "name": UNREADABLE,
        "shortDescription": { "text": "Everything can be read as Kubernetes reads it." },
        "help": { "text": "Write what Kubernetes takes, or judge what the template makes." },
        "properties": { "tags": ["kubernetes"] },
    })
}

const UNREADABLE: &str = "unreadable";

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// The grade by which code scanning sorts: from 9 on it is critical, from 7 high, from 4 medium.
fn grade(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "2.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

fn invocation(report: &Report) -> Value {
    let told = |text: &String| json!({ "level": "error", "message": { "text": text } });
    let notifications: Vec<Value> = report.unread.iter().map(told).collect();
    json!({
        "executionSuccessful": report.unread.is_empty(),
        "toolExecutionNotifications": notifications,
    })
}

struct Results<'r>(&'r Report);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let failed = report.findings.iter().map(|it| of_finding(report, it, None));
        let waived =
            report.waived.iter().map(|it| of_finding(report, &it.finding, Some(&it.waiver)));
        let unknown = report.unknown.iter().map(|it| of_unknown(report, it));
        serializer.collect_seq(failed.chain(waived).chain(unknown))
    }
}

fn of_finding(report: &Report, finding: &Finding, waiver: Option<&Answer>) -> Value {
    let Finding { control, severity, title, place, fix, .. } = finding;
    let mut result = json!({
        "ruleId": control,
        "kind": "fail",
        "level": level(*severity),
        "message": { "text": plain(&format!("{title}. {}: {fix}.", place.field())) },
        "locations": [location(place)],
        "partialFingerprints": { "ringfort/v1": finding.fingerprint },
    });
    if let Some(waiver) = waiver {
        result["suppressions"] = suppressions(waiver);
    }
    finish(report, result, finding.since)
}

/// Somebody answers for a result.
pub(super) fn suppressions(waiver: &Answer) -> Value {
    let Answer { owner, reason, expires } = waiver;
    json!([{
        "kind": "external",
        "status": "accepted",
        "justification": reason,
        "properties": { "owner": owner, "expires": expires },
    }])
}

/// What is not known is open: asked, and not decided.
fn of_unknown(report: &Report, unknown: &Unknown) -> Value {
    let Unknown { control, place, said, closes, .. } = unknown;
    let result = json!({
        "ruleId": control.unwrap_or(UNREADABLE),
        "kind": "open",
        "level": "none",
        "message": { "text": plain(&format!("unknown: {said}. To decide it: {closes}.")) },
        "locations": [location(place)],
        "partialFingerprints": { "ringfort/v1": unknown.fingerprint },
    });
    finish(report, result, unknown.since)
}

fn finish(report: &Report, mut result: Value, since: Option<Since>) -> Value {
    let id = result["ruleId"].as_str().unwrap_or_default();
    let index = report.controls.binary_search_by_key(&id, |row| row.control);
    result["ruleIndex"] = json!(index.unwrap_or(report.controls.len()));
    if let Some(since) = since {
        result["baselineState"] = json!(match since {
            Since::New => "new",
            Since::Before => "unchanged",
        });
    }
    result
}

fn location(place: &Place) -> Value {
    let logical = json!([{ "fullyQualifiedName": format!("{} {}", place.whose(), place.field()) }]);
    let mut location = json!({ "logicalLocations": logical });
    match place {
        Place::File(it) => {
            let (file, span) = (it.file.strip_prefix("./").unwrap_or(&it.file), it.span);
            let artifact = match file.strip_prefix('/') {
                Some(absolute) => json!({ "uri": format!("file:///{}", uri(absolute)) }),
                None => json!({ "uri": uri(file), "uriBaseId": "SRCROOT" }),
            };
            let region = json!({
                "startLine": span.line,
                "startColumn": span.column,
                "endLine": span.end_line,
                "endColumn": span.end_column,
                "byteOffset": span.offset,
                "byteLength": span.length,
            });
            location["physicalLocation"] =
                json!({ "artifactLocation": artifact, "region": region });
        }
        Place::Api(_) => {}
        Place::Node(it) => {
            if let Some(file) = &it.file {
                let address =
                    format!("file://{}/{}", uri(&it.node), uri(file.trim_start_matches('/')));
                let mut physical = json!({ "artifactLocation": { "uri": address } });
                if let Some(line) = it.line {
                    physical["region"] = json!({ "startLine": line });
                }
                location["physicalLocation"] = physical;
            }
        }
    }
    location
}

/// Writes a text so that no reader of SARIF takes a part of it for a link: `[words](address)`.
pub(super) fn plain(text: &str) -> String {
    match text.contains("](") {
        true => text.replace('[', "\\[").replace(']', "\\]"),
        false => text.to_owned(),
    }
}

/// Writes a path as a part of an address, with what has a meaning there written as its bytes.
pub(super) fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let byte = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    path.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::{plain, uri};

    #[test]
    fn no_part_of_a_message_is_a_link() {
        assert_eq!(plain("Pod.spec.containers[0].image"), "Pod.spec.containers[0].image");
        assert_eq!(plain("[a](https://b) [0]"), "\\[a\\](https://b) \\[0\\]");
    }

    #[test]
    fn a_path_becomes_a_part_of_an_address() {
        assert_eq!(uri("a/b-1.yaml"), "a/b-1.yaml");
        assert_eq!(uri("a b/ü:<c>?#%"), "a%20b/%C3%BC%3A%3Cc%3E%3F%23%25");
    }
}
