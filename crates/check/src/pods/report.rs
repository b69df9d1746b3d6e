//! What is said of many documents, a line for each pod.

use serde::Serialize;
use serde_json::Value;

use super::find::pods;
use super::judged::Verdict;
use super::policy::Policy;

/// What is said of a pod.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Reported {
    /// The file's name, as it was given.
    pub file: String,
    /// Which document of the file it is, as it was given.
    pub document: usize,
    /// The name of the pod, or of the object that makes it.
    pub pod: String,
    /// What judging came to.
    pub verdict: Verdict,
    /// The ids of the checks that failed.
    pub checks: Vec<&'static str>,
}

/// Judges all pods of documents, each of which comes with its file's name and its index in there.
pub fn report<'a>(
    documents: impl IntoIterator<Item = (&'a str, usize, &'a Value)>,
    policy: Policy,
) -> Vec<Reported> {
    let mut reported = Vec::new();
    for (file, document, value) in documents {
        reported.extend(pods(value).iter().map(|pod| {
            let judged = pod.judge(policy);
            Reported {
                file: file.to_owned(),
                document,
                pod: pod.name().to_owned(),
                verdict: judged.verdict(),
                checks: judged.failures.iter().map(|failure| failure.check).collect(),
            }
        }));
    }
    reported
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::report;
    use crate::pods::{Level, Policy, Version};

    #[test]
    fn every_pod_of_every_document_has_a_line() {
        let pod = |name: &str, host_pid| {
            let spec = json!({"hostPID": host_pid, "containers": [{"name": "one"}]});
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        };
        let both =
            json!({"kind": "List", "items": [pod("a", json!(true)), pod("b", json!("yes"))]});
        let documents = [("one.yaml", 0, &pod("c", json!(false))), ("two.yaml", 3, &both)];
        let policy = Policy { level: Level::Baseline, version: Version::Latest };
        let line = |file, document, pod, verdict, checks: &[&str]| {
            json!({
                "file": file, "document": document, "pod": pod, "verdict": verdict, "checks": checks,
            })
        };
        assert_eq!(
            json!(report(documents, policy)),
            json!([
                line("one.yaml", 0, "c", "pass", &[]),
                line("two.yaml", 3, "a", "fail", &["hostNamespaces"]),
                line("two.yaml", 3, "b", "unknown", &[]),
            ])
        );
    }
}
