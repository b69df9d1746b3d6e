//! What is said of a pod in one line, for whoever reads it by program.

use serde::Serialize;

use super::judged::{Judged, Verdict};
use super::pod::Pod;

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

impl Reported {
    /// Says what came of judging a pod of a file's document.
    pub fn of(file: &str, document: usize, pod: &Pod<'_>, judged: &Judged) -> Self {
        Self {
            file: file.to_owned(),
            document,
            pod: pod.name().to_owned(),
            verdict: judged.verdict(),
            checks: judged.failures.iter().map(|failure| failure.check).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Reported;
    use crate::pods::pods;
    use ringfort_model::pod_security::{Level, Policy, Version};

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
        let report = |(file, document, value)| {
            let of =
                |pod: &crate::pods::Pod<'_>| Reported::of(file, document, pod, &pod.judge(policy));
            pods(value).iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(
            json!(documents.into_iter().flat_map(report).collect::<Vec<_>>()),
            json!([
                line("one.yaml", 0, "c", "pass", &[]),
                line("two.yaml", 3, "a", "fail", &["hostNamespaces"]),
                line("two.yaml", 3, "b", "unknown", &[]),
            ])
        );
    }
}
