//! How it is broken on purpose.

use crate::draft::{Component, Document};
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "api-server",
        about: "an API server takes TLS 1.2",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::ApiServer, "--tls-min-version", "VersionTLS12")],
        also: &[],
    },
    Sabotage {
        name: "etcd",
        about: "a member of etcd takes TLS 1.2",
        on: On::OneControlPlane,
        harms: &[Harm::NoFlag(Component::Etcd, "--tls-min-version")],
        also: &[],
    },
    Sabotage {
        name: "controller-manager",
        about: "the controller manager takes TLS 1.2",
        on: On::OneControlPlane,
        harms: &[Harm::NoFlag(Component::ControllerManager, "--tls-min-version")],
        also: &[],
    },
    Sabotage {
        name: "scheduler",
        about: "a scheduler takes TLS 1.2",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::Scheduler, "--tls-min-version", "VersionTLS12")],
        also: &[],
    },
    Sabotage {
        name: "kubelet",
        about: "a kubelet takes TLS 1.2",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::Kubelet, "tlsMinVersion", r#""VersionTLS12""#)],
        also: &[],
    },
    Sabotage {
        name: "no-hybrid",
        about: "a kubelet exchanges keys in a way that a later computer may open",
        on: On::OneWorker,
        harms: &[Harm::Text(
            "/etc/systemd/system/kubelet.service",
            "[Service]\n",
            "[Service]\nEnvironment=GODEBUG=tlsmlkem=0,tlssecpmlkem=0\n",
        )],
        also: &[],
    },
    Sabotage {
        name: "any-use",
        about: "the certificate of one scheduler is for every use",
        on: On::OneControlPlane,
        harms: &[Harm::AnyUse("/etc/kubernetes/scheduler/client.crt")],
        also: &[],
    },
];
