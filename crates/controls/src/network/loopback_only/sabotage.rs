//! How it is broken on purpose.

use crate::draft::{Component, Document};
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "controller-manager",
        about: "the controller manager is open to the network",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::ControllerManager, "--bind-address", "0.0.0.0")],
        also: &[],
    },
    Sabotage {
        name: "scheduler",
        about: "a scheduler is open to the network",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::Scheduler, "--bind-address", "0.0.0.0")],
        also: &[],
    },
    Sabotage {
        name: "etcd-metrics",
        about: "metrics of etcd are open to the network in plain",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::Etcd, "--listen-metrics-urls", "http://0.0.0.0:2381")],
        also: &[],
    },
    Sabotage {
        name: "kubelet-health",
        about: "the health of a kubelet is told to the network in plain",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::Kubelet, "healthzBindAddress", r#""0.0.0.0""#)],
        also: &[],
    },
    Sabotage {
        name: "proxy-metrics",
        about: "metrics of kube-proxy are open to the network in plain",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::KubeProxy, "metricsBindAddress", r#""0.0.0.0:10249""#)],
        also: &[],
    },
    Sabotage {
        name: "proxy-health",
        about: "the health of kube-proxy is told to the network in plain",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::KubeProxy, "healthzBindAddress", r#""0.0.0.0:10256""#)],
        also: &[],
    },
];
