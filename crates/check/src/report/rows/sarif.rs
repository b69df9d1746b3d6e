//! Rows as SARIF: a rule and a result for each that does not hold, is not known or is waived. No file is at fault: a
//! result is at machines, at objects, or at the cluster, each of which stands for a file, since code scanning takes no
//! result without one.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Rows, Said, is_loud, section, spots};
use crate::benchmark::{self, Judged};
use crate::report::fingerprint::Hasher;
use crate::report::sarif::{log, plain, suppressions, uri};
use crate::report::{Answer, Verdict};

impl Rows<'_> {
    /// Writes them as SARIF 2.1.0.
    pub fn sarif(&self) -> impl Serialize + use<> {
        let loud: Vec<&Judged> =
            self.judged.iter().filter(|it| is_loud(Said::of_row(it).verdict)).collect();
        let rules: Vec<Value> = loud.iter().map(|it| rule(it)).collect();
        let results: Vec<Value> =
            loud.iter().enumerate().map(|(index, it)| result(index, it)).collect();
        let gaps = self.gaps();
        let told =
            |level: &str, said: &str| json!({ "level": level, "message": { "text": plain(said) } });
        let idle = self.idle.iter().map(|said| told("warning", said));
        let unseen = gaps.iter().map(|said| told("error", said));
        let notifications: Vec<Value> = unseen.chain(idle).collect();
        let invocation = json!({
            "executionSuccessful": gaps.is_empty(),
            "toolExecutionNotifications": notifications,
        });
        let root = json!({ "CLUSTER": { "description": { "text": ROOT } } });
        log(&rules, invocation, root, results)
    }

    /// Says what could not be looked at, each once.
    fn gaps(&self) -> BTreeSet<String> {
        let unknown = self.judged.iter().filter_map(|it| it.whole.as_ref().err());
        unknown.map(|gap| format!("{}; to decide it: {}", gap.said, gap.closes)).collect()
    }
}

const ROOT: &str = "what was judged: the cluster, its machines and its objects, by their names";

fn rule(judged: &Judged) -> Value {
    let (row, id) = (judged.row, benchmark::id(judged.row));
    let help = match benchmark::is_beyond(row.id) {
        true => format!("What a control of ringfort asks: ringfort explain {}.", row.id),
        false => format!(
            "Recommendation {} of {}, section {}, level {}.",
            row.id,
            benchmark::NAME,
            section(judged),
            row.level
        ),
    };
    json!({
        "id": id,
        "name": id,
        "shortDescription": { "text": format!("{}.", row.title) },
        "help": { "text": help },
        "defaultConfiguration": { "level": "error" },
        "properties": { "tags": ["kubernetes", "security", id] },
    })
}

fn result(index: usize, judged: &Judged) -> Value {
    let (id, whole) = (benchmark::id(judged.row), Said::of_row(judged));
    // What is not known is open: asked, and not decided.
    let (kind, level) = match whole.verdict {
        Verdict::Unknown => ("open", "none"),
        _ => ("fail", "error"),
    };
    let message = format!("{}. {}.", judged.row.title, whole.in_a_line());
    let mut result = json!({
        "ruleId": id,
        "ruleIndex": index,
        "kind": kind,
        "level": level,
        "message": { "text": plain(&message) },
        "locations": locations(judged),
        "partialFingerprints": { "ringfort/v1": Hasher::new(&id).finish() },
    });
    if let Some(waived) = &judged.waived {
        result["suppressions"] = suppressions(&Answer::from(waived));
    }
    if let Some(pod) = &judged.example {
        result["properties"] = json!({ "letIn": pod });
    }
    result
}

fn locations(judged: &Judged) -> Vec<Value> {
    let spots = spots(judged);
    let loud = spots.iter().filter(|it| is_loud(it.said.verdict));
    let told = loud.map(|it| {
        let path = it.machine.map_or_else(|| "cluster".to_owned(), |it| format!("machine/{it}"));
        let mut location = location(&it.place(), &path);
        location["message"] = json!({ "text": plain(&it.said.in_a_line()) });
        location
    });
    let objects = judged.objects.iter().map(|name| location(name, &format!("object/{name}")));
    told.chain(objects).collect()
}

/// Gives a place by its name, and by the path of the file that it stands for: of that the first line is shown.
fn location(name: &str, path: &str) -> Value {
    json!({
        "logicalLocations": [{ "fullyQualifiedName": name }],
        "physicalLocation": {
            "artifactLocation": { "uri": uri(path), "uriBaseId": "CLUSTER" },
            "region": { "startLine": 1 },
        },
    })
}
