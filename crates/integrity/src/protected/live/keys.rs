//! Which flags and fields name paths, and as what. What stands at another key is taken for no path, whatever it looks
//! like: it may be a secret. Pure.

use ringfort_facts::component::Component;

use super::Sense::{self, Data, Holds, Log, Plain};
use crate::path::FilePath;

/// Gives what a field names a path as; nothing, where it names none.
pub(super) type Keys = fn(&str) -> Option<Sense>;

/// The flag with names of hosts behind its two files.
pub(super) const SNI: &str = "tls-sni-cert-key";
/// The flag for a log.
pub(super) const AUDIT_LOG: &str = "audit-log-path";
/// The flag for a file that names further ones, also from its own directory.
pub(super) const ADMISSION: &str = "admission-control-config-file";
/// The kubelet's flag for files that are laid over its own.
pub(super) const DROP_INS: &str = "config-dir";

/// Flags that name paths, beside those that end so.
pub(super) const FLAGS: &[(&str, Sense)] = &[
    (AUDIT_LOG, Log),
    ("cert-dir", Holds),
    ("config", Plain),
    (DROP_INS, Holds),
    ("data-dir", Data),
    ("discovery-cacert", Plain),
    ("discovery-cert", Plain),
    ("discovery-key", Plain),
    ("etcd-cafile", Plain),
    ("etcd-certfile", Plain),
    ("etcd-keyfile", Plain),
    ("flex-volume-plugin-dir", Holds),
    ("image-credential-provider-bin-dir", Holds),
    // It may be a directory.
    ("image-credential-provider-config", Holds),
    ("kubelet-certificate-authority", Plain),
    ("kubelet-client-certificate", Plain),
    ("kubelet-client-key", Plain),
    ("pod-manifest-path", Holds),
    ("pv-recycler-pod-template-filepath-hostpath", Plain),
    ("pv-recycler-pod-template-filepath-nfs", Plain),
    ("root-dir", Data),
    (SNI, Plain),
    ("volume-plugin-dir", Holds),
    ("wal-dir", Data),
];
const ENDINGS: [&str; 3] = ["-config", "-file", "kubeconfig"];
/// Flags that end so and name no file, or one that is nobody's setting.
const NONE: [&str; 4] = ["boot-id-file", "lock-file", "machine-id-file", "runtime-config"];

/// Directories that hold much more than what one component has in them.
const WIDE: &[&str] = &[
    "/usr/lib",
    "/usr/libexec",
    "/usr/local",
    "/usr/share",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/spool",
];

/// Flags of components; etcd's file has the same names.
pub(super) fn flag(name: &str) -> Option<Sense> {
    if NONE.contains(&name) {
        return None;
    }
    let known = FLAGS.iter().find(|(flag, _)| *flag == name).map(|(_, sense)| *sense);
    known.or_else(|| ENDINGS.iter().any(|end| name.ends_with(end)).then_some(Plain))
}

/// Gives what the fields of a file are that a flag names, where it names further ones.
pub(super) fn document(component: Component, flag_name: &str) -> Option<Keys> {
    match (component, flag_name) {
        (Component::ApiServer, "authorization-config" | ADMISSION)
        | (Component::Scheduler | Component::Proxy, "config") => Some(client),
        (Component::ApiServer, "egress-selector-config-file") => Some(egress),
        (Component::Kubelet, "config" | DROP_INS) => Some(kubelet),
        (Component::Etcd, "config-file") => Some(flag),
        _ => None,
    }
}

fn kubelet(key: &str) -> Option<Sense> {
    match key {
        "staticPodPath" | "volumePluginDir" => Some(Holds),
        "clientCAFile" | "tlsCertFile" | "tlsPrivateKeyFile" => Some(Plain),
        _ => None,
    }
}

fn client(key: &str) -> Option<Sense> {
    matches!(key, "caFile" | "certFile" | "keyFile" | "kubeConfigFile" | "kubeconfig")
        .then_some(Plain)
}

fn egress(key: &str) -> Option<Sense> {
    matches!(key, "caBundle" | "clientCert" | "clientKey").then_some(Plain)
}

/// Fields of containerd's own files, each by the last part of its name.
pub(super) fn containerd(key: &str) -> Option<Sense> {
    match key {
        "bin_dir" | "bin_dirs" | "cdi_spec_dirs" | "conf_dir" | "config_path" | "path"
        | "plugin_config_path" | "plugin_path" => Some(Holds),
        "root" => Some(Data),
        "BinaryName"
        | "ConfigPath"
        | "base_runtime_spec"
        | "ca_file"
        | "cert_file"
        | "conf_template"
        | "key_file"
        | "runtime_path"
        | "tcp_tls_ca"
        | "tcp_tls_cert"
        | "tcp_tls_key"
        | "tls_cert_file"
        | "tls_key_file"
        | "unset_seccomp_profile" => Some(Plain),
        _ => None,
    }
}

/// Fields of networks of pods.
pub(super) fn network(key: &str) -> Option<Sense> {
    match key {
        "binDir" | "confDir" => Some(Holds),
        "etcd_ca_cert_file" | "etcd_cert_file" | "etcd_key_file" | "kubeconfig" => Some(Plain),
        _ => None,
    }
}

/// Says whether a directory is none that could be watched because a component names it.
pub(super) fn is_too_wide(path: &FilePath) -> bool {
    let parts = path.parts().count();
    let is_home = parts == 2 && path.as_bytes().starts_with(b"/home/");
    parts < 2 || is_home || WIDE.iter().any(|wide| wide.as_bytes() == path.as_bytes())
}
