use ringfort_facts::manifest;

use super::write::{self, Edit};
use super::{Asked, Fixed, controls, fix};
use crate::world::{Objects, Origin, World};

/// Fixes a text by all controls.
fn fixed(text: &str, only: &[&str]) -> Fixed {
    let documents = manifest::read(text).unwrap();
    let mut objects = Objects::new(World::Open, None);
    for (document, read) in documents.iter().enumerate() {
        objects.add(Origin { file: 0, document }, read.value());
    }
    let all: Vec<&str> = controls().collect();
    let controls = if only.is_empty() { &all } else { only };
    fix(text, &documents, (&objects, 0), Asked { controls, waivers: None })
}

#[test]
fn a_plain_pod_is_put_right_and_keeps_its_words() {
    let text = "\
apiVersion: v1
kind: Pod # the one
metadata: {name: a}
spec:
  containers:
  - name: a # first
    image: a
    securityContext:
      privileged: true
";
    let expected = "\
apiVersion: v1
kind: Pod # the one
metadata: {name: a}
spec:
  containers:
  - name: a # first
    image: a
    securityContext:
      privileged: false
      capabilities:
        drop: [ALL]
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  automountServiceAccountToken: false
";
    let first = fixed(text, &[]);
    assert_eq!(first.refused, []);
    assert_eq!(first.text.as_deref(), Some(expected));
    let second = fixed(expected, &[]);
    assert_eq!((second.text, second.fixes, second.refused), (None, vec![], vec![]));
}

/// Whatever the writer might do wrong: the text is as it was, and each fix is told as refused.
#[test]
fn a_text_that_would_say_something_else_is_refused() {
    let text = "{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {hostPID: true, containers: [{name: a}]}}\n";
    let documents = manifest::read(text).unwrap();
    let only = ["workload/own-process-namespace"];
    let mut meant = documents[0].value().clone();
    meant["spec"]["hostPID"] = false.into();
    let meant = [Some(meant)];
    let settled = |edits: &[(&str, &str)]| {
        let edit = |(from, to): &(&str, &str)| {
            let start = text.find(from).unwrap();
            Edit { at: start..start + from.len(), with: (*to).to_owned() }
        };
        let mut fixed = Fixed { text: None, ..fixed(text, &only) };
        assert_eq!((fixed.fixes.len(), fixed.refused.len()), (1, 0));
        let edits: Vec<Edit> = edits.iter().map(edit).collect();
        fixed.settle(write::apply(text, &edits), &documents, &meant);
        fixed
    };
    assert!(settled(&[("hostPID: true", "hostPID: false")]).text.is_some());
    for more in [
        &[("hostPID: true", "hostPID: false, hostIPC: true")][..],
        &[("name: a", "name: b"), ("hostPID: true", "hostPID: false")],
        &[("hostPID: true", "hostPID: true")],
        &[("hostPID: true", "hostPID: [")],
        &[("hostPID: true", "hostPID: false"), ("\n", "\n---\nkind: Pod\n")],
    ] {
        let refused = settled(more);
        assert_eq!((refused.text, refused.fixes), (None, vec![]));
        assert_eq!(refused.refused.len(), 1);
        assert!(refused.refused[0].why.contains("would say something else"), "{more:?}");
    }
}
