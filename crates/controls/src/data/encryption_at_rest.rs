//! Everything that the API stores is sealed before it reaches the disk.

mod proof;
mod sabotage;

pub use proof::OPEN;

use ringfort_model::content::{Content, SecretName};
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Component, Draft, Mount, PRIVATE};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "data/encryption-at-rest",
    title: "Everything that the API stores is sealed before it reaches the disk",
    severity: Severity::Critical,
    refs: &[
        Ref::Cis("1.2.27"),
        Ref::Cis("1.2.28"),
        Ref::Docs("tasks/administer-cluster/encrypt-data/"),
    ],
    limits: &[],
    doc: include_str!("encryption_at_rest.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

const DIRECTORY: &str = "/etc/kubernetes/encryption";

fn make(_: &Spec, draft: &mut Draft<'_>) {
    let facts = draft.trust().encryption.clone();
    draft.control_planes(|at| {
        at.directory(DIRECTORY, CLOSED, Owner::ROOT);
        let content = Content::Secret {
            name: SecretName::EncryptionConfiguration,
            digest: facts.digest.clone(),
            keys: facts.keys.clone(),
        };
        at.file(paths::ENCRYPTION, PRIVATE, Owner::ROOT, content);
        at.mount(Component::ApiServer, DIRECTORY, Mount::Reloads);
        let api = Component::ApiServer;
        at.flag(api, "--encryption-provider-config", paths::ENCRYPTION);
        at.flag(api, "--encryption-provider-config-automatic-reload", true);
    });
}
