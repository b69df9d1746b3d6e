//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "everywhere",
        about: "whoever says no name is let in everywhere, with the roles of everybody",
        on: On::OneControlPlane,
        harms: &[
            Harm::File(
                "/etc/kubernetes/authn/config.yaml",
                "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous:\n  enabled: true\n",
            ),
            Harm::Restart(Component::ApiServer),
        ],
        also: &["audit/policy-is-set"],
    },
    Sabotage {
        name: "version",
        about: "one more path answers without a name, for a load balancer",
        on: On::OneControlPlane,
        harms: &[
            Harm::Text(
                "/etc/kubernetes/authn/config.yaml",
                "- path: /livez\n",
                "- path: /livez\n  - path: /version\n",
            ),
            Harm::Restart(Component::ApiServer),
        ],
        also: &[],
    },
    Sabotage {
        name: "no-file",
        about: "the file is there and no flag names it",
        on: On::OneControlPlane,
        harms: &[Harm::NoFlag(Component::ApiServer, "--authentication-config")],
        also: &["audit/policy-is-set"],
    },
];
