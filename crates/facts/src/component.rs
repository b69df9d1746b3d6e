//! What a component of Kubernetes runs with, read from what was observed of it.
//!
//! Flags, variables, files and defaults are read as the component itself reads them. What was not
//! observed is a gap; what cannot be read is a gap that names it.
//! Never here: whether a setting is good.

pub mod admission;
pub mod api_server;
pub mod authentication;
pub mod command_line;
pub mod encryption;
pub mod files;
mod flag;
pub mod kubelet;
mod merge;
pub mod settings;
pub mod value;

#[cfg(test)]
mod laws;

use std::fmt;

/// A component that takes flags.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Component {
    /// kube-apiserver
    ApiServer,
    /// kube-controller-manager
    ControllerManager,
    /// kube-scheduler
    Scheduler,
    /// kubelet
    Kubelet,
    /// kube-proxy
    Proxy,
    /// etcd
    Etcd,
}

impl Component {
    /// Every component.
    pub const ALL: [Self; 6] = [
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
        Self::Proxy,
        Self::Etcd,
    ];

    /// Gives the name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::Proxy => "kube-proxy",
            Self::Etcd => "etcd",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}
