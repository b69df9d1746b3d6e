//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "for-everybody",
    about: "a worker runs every image that lies on it for everybody",
    on: On::OneWorker,
    harms: &[Harm::Setting(
        Document::Kubelet,
        "imagePullCredentialsVerificationPolicy",
        "\"NeverVerify\"",
    )],
    also: &[],
}];
