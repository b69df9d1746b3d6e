//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        // Its proof tries root in a user namespace as well, which Pod Security itself lets in.
        also: &["access/admission-objects", "access/pod-security", "node/closed-files"],
        ..Sabotage::unguarded("root is let in wherever a pod is in a user namespace")
    },
    Sabotage {
        name: "pods-only",
        about: "the guard looks at pods and lets every template through",
        on: On::ControlPlanes,
        harms: &[Harm::Guard("- deployments\n", "- deployment\n")],
        also: &["access/admission-objects"],
    },
];
