//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[SIGNERS, TOKENS];

const TOKENS: Sabotage = Sabotage {
    name: "bootstrap-tokens",
    about: "a token that somebody wrote down joins machines",
    on: On::OneControlPlane,
    harms: &[Harm::Flag(Component::ApiServer, "--enable-bootstrap-token-auth", "true")],
    also: &[],
};

const SIGNERS: Sabotage = Sabotage {
    name: "signers",
    about: "the controllers that sign are on, with an authority of their own",
    on: On::ControlPlanes,
    harms: &[
        Harm::Flag(Component::ControllerManager, "--controllers", "*"),
        Harm::Flag(
            Component::ControllerManager,
            "--cluster-signing-cert-file",
            "/etc/kubernetes/controller-manager/serving.crt",
        ),
        Harm::Flag(
            Component::ControllerManager,
            "--cluster-signing-key-file",
            "/etc/kubernetes/controller-manager/serving.key",
        ),
    ],
    also: &[],
};
