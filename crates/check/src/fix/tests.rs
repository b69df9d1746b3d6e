use ringfort_facts::manifest;

use super::{Fixed, controls, fix};
use crate::world::{Objects, Origin, World};

/// Fixes a text by all controls.
fn fixed(text: &str, only: &[&str]) -> Fixed {
    let documents = manifest::read(text).unwrap();
    let mut objects = Objects::new(World::Open, None);
    for (document, read) in documents.iter().enumerate() {
        objects.add(Origin { file: 0, document }, read.value());
    }
    let all: Vec<&str> = controls().collect();
    fix(text, &documents, (&objects, 0), if only.is_empty() { &all } else { only })
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
