use ringfort_facts::manifest::{self, Lines};
use serde_json::json;

use super::{Draft, Fixer, Mender, Why};
use crate::fault::Fault;
use crate::world::{Objects, Origin, World};

/// Tries a way to mend read-only roots, and gives why it is refused.
fn refused(mend: fn(&mut Draft<'_>, &[Fault]) -> Result<(), Why>) -> Option<String> {
    let text = "\
apiVersion: v1
kind: Pod
metadata: { name: a }
spec:
  containers: [{ name: a, image: a }]
";
    let documents = manifest::read(text).unwrap();
    let mut objects = Objects::new(World::Open, None);
    objects.add(Origin { file: 0, document: 0 }, documents[0].value());
    let (lines, place) = (Lines::new(text), (&documents[0], documents[0].node()));
    let mut fixer = Fixer::new(text, &lines, (&objects, 0), place, "");
    let mender = Mender { control: "workload/read-only-root", checks: &[], uncovers: &[], mend };
    let is_kept = fixer.fix_one(&mender, &mut None);
    assert_eq!((is_kept, fixer.fixes.len()), (fixer.refused.is_empty(), usize::from(is_kept)));
    assert_eq!(is_kept, !fixer.edits.is_empty());
    fixer.refused.pop().map(|it| it.why)
}

const FLAG: &str = "/spec/containers/0/securityContext/readOnlyRootFilesystem";

#[test]
fn a_fix_after_which_the_control_is_still_not_kept_is_refused() {
    assert_eq!(refused(|draft, _| draft.set(FLAG, true)), None);
    assert_eq!(refused(|_, _| Ok(())), Some(Why::Still.to_string()));
    assert_eq!(refused(|draft, _| draft.set(FLAG, false)), Some(Why::Still.to_string()));
    assert_eq!(refused(|draft, _| draft.set(FLAG, "yes")), Some(Why::Still.to_string()));
}

#[test]
fn a_fix_after_which_another_control_is_worse_off_is_refused() {
    let aliased = refused(|draft, _| {
        draft.set(FLAG, true)?;
        draft.set("/spec/hostAliases", json!([{"ip": "192.0.2.1", "hostnames": ["a"]}]))
    });
    assert_eq!(aliased, Some(Why::Worse("workload/no-host-aliases").to_string()));
    let another = refused(|draft, _| {
        draft.set(FLAG, true)?;
        let context = json!({"readOnlyRootFilesystem": true});
        let one = json!({"name": "b", "image": "b:1", "securityContext": context});
        draft.set("/spec/initContainers", json!([one]))
    });
    assert!(another.is_some_and(|it| it.contains("would not be kept then")));
}
