//! Pods that a run closes, in lines for people: alike ones of a namespace in one.

use std::collections::BTreeMap;

use ringfort_model::event::ClosedPod;

/// Writes the pods, and what can be done before.
pub(super) fn lines(pods: &[ClosedPod], verb: &str) -> Vec<String> {
    let whom = match pods.len() {
        1 => "1 pod that runs".to_owned(),
        count => format!("{count} pods that run"),
    };
    let mut alike: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for it in pods {
        let namespace = it.pod.split_once('/').map_or("", |(namespace, _)| namespace);
        alike.entry((namespace, ways(it))).or_default().push(&it.pod);
    }
    let mut lines = vec![format!("  {whom} {verb} closed, and no policy opens what is named:")];
    lines.extend(alike.iter().map(|((_, ways), pods)| format!("    {}: {ways}", named(pods))));
    lines.push(HELP.to_owned());
    lines
}

const HELP: &str = "  help: write policies for them first (`ringfort netpol explain -f MANIFESTS POD --to POD:PORT` proposes \
                    them), or waive network/default-deny for their namespaces until then";

/// How many pods of a line are named. One that is left out is like them.
const NAMED: usize = 3;

fn named(pods: &[&str]) -> String {
    let some = &pods[..pods.len().min(NAMED)];
    match pods.len() - some.len() {
        0 => some.join(", "),
        rest => format!("{} and {rest} more like them", some.join(", ")),
    }
}

fn ways(pod: &ClosedPod) -> String {
    let by = |names: &[String]| names.join(", ");
    match (pod.ingress.as_slice(), pod.egress.as_slice()) {
        (ingress, egress) if ingress == egress => {
            format!("ingress and egress, by {}", by(ingress))
        }
        (ingress, []) => format!("ingress, by {}", by(ingress)),
        ([], egress) => format!("egress, by {}", by(egress)),
        (ingress, egress) => format!("ingress, by {}; egress, by {}", by(ingress), by(egress)),
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::event::ClosedPod;

    use super::lines;

    fn closed(pod: &str, ingress: &[&str], egress: &[&str]) -> ClosedPod {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        ClosedPod { pod: pod.to_owned(), ingress: owned(ingress), egress: owned(egress) }
    }

    #[test]
    fn each_pod_says_which_way_is_closed_and_by_what() {
        let pods = [
            closed("a/1", &["the default"], &["the default"]),
            closed("a/2", &["NetworkPolicy a/x"], &[]),
            closed("a/3", &[], &["the default"]),
            closed("a/4", &["NetworkPolicy a/x", "NetworkPolicy a/y"], &["the default"]),
        ];
        let lines = lines(&pods, "would be");
        let expected = [
            "  4 pods that run would be closed, and no policy opens what is named:",
            "    a/3: egress, by the default",
            "    a/1: ingress and egress, by the default",
            "    a/2: ingress, by NetworkPolicy a/x",
            "    a/4: ingress, by NetworkPolicy a/x, NetworkPolicy a/y; egress, by the default",
        ];
        assert_eq!(lines[..5], expected);
        assert!(lines[5].starts_with("  help: ") && lines.len() == 6, "{lines:?}");
    }

    #[test]
    fn replicas_hide_no_other_namespace() {
        let names = (0..60).map(|number| format!("a/web-{number:02}"));
        let mut pods: Vec<_> = names.map(|name| closed(&name, &["it"], &["it"])).collect();
        pods.push(closed("b/db", &["it"], &["it"]));
        let lines = lines(&pods, "will be");
        assert!(lines[0].starts_with("  61 pods that run"), "{lines:?}");
        assert_eq!(
            lines[1..3],
            [
                "    a/web-00, a/web-01, a/web-02 and 57 more like them: ingress and egress, by it",
                "    b/db: ingress and egress, by it",
            ]
        );
    }

    #[test]
    fn one_is_one() {
        let lines = lines(&[closed("a/1", &["it"], &["it"])], "will be");
        assert!(lines[0].starts_with("  1 pod that runs will be closed"), "{lines:?}");
        assert_eq!(lines.len(), 3);
    }
}
