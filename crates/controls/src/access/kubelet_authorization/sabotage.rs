//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "always-allow",
        about: "a kubelet lets in whoever has a certificate, whatever the API says",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::Kubelet, "authorization/mode", r#""AlwaysAllow""#)],
        also: &[],
    },
    Sabotage {
        name: "anonymous",
        about: "a kubelet lets in whoever says no name",
        on: On::OneWorker,
        harms: &[
            Harm::Setting(Document::Kubelet, "authentication/anonymous/enabled", "true"),
            Harm::Setting(Document::Kubelet, "authorization/mode", r#""AlwaysAllow""#),
        ],
        also: &[],
    },
    Sabotage {
        name: "read-only-port",
        about: "the port for monitoring that asks nobody is open",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::Kubelet, "readOnlyPort", "10255")],
        also: &["network/loopback-only"],
    },
    Sabotage {
        name: "flag-over-file",
        about: "the file says what it should, and a flag of the unit overrules it",
        on: On::OneWorker,
        harms: &[Harm::Text(
            "/etc/systemd/system/kubelet.service",
            "--config=/var/lib/kubelet/config.yaml",
            "--config=/var/lib/kubelet/config.yaml --anonymous-auth=true --authorization-mode=AlwaysAllow",
        )],
        also: &[],
    },
    Sabotage {
        name: "on-a-control-plane",
        about: "the kubelet of a control plane is open, where nobody looks",
        on: On::OneControlPlane,
        harms: &[Harm::Text(
            "/etc/systemd/system/kubelet.service",
            "--config=/var/lib/kubelet/config.yaml",
            "--config=/var/lib/kubelet/config.yaml --read-only-port=10255",
        )],
        also: &["network/loopback-only"],
    },
];
