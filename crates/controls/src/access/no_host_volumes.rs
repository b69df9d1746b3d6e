//! No volume is a directory of a machine.

mod proof;
mod sabotage;

use ringfort_model::identity::KEEPER;
use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::admission::{Admission, Policy, constraints, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/no-host-volumes",
    title: "No PersistentVolume is a directory of a machine",
    severity: Severity::Critical,
    refs: &[Ref::Cis("5.2.11"), Ref::Docs("concepts/storage/persistent-volumes/")],
    limits: &[Limit::Cluster],
    doc: include_str!("no_host_volumes.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let rules = json!([rule(&[""], &["CREATE"], &["persistentvolumes"])]);
    let policy = Policy {
        name: "volumes",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "validations": [refuse_unless(
                format!("request.userInfo.username == '{KEEPER}' || {REMOTE}"),
                "a PersistentVolume is of csi, fc, iscsi or nfs: a directory of a machine is none",
            )],
        }),
    };
    guard(spec, draft, Admission::Validating, "42-volumes", &[policy]);
}

/// Where the source cannot change later, looking at new volumes is enough.
const REMOTE: &str = "\
has(object.spec.csi) || has(object.spec.fc) || has(object.spec.iscsi) || has(object.spec.nfs)";
