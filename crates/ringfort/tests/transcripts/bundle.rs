//! A bundle as small as a bundle can be: every name that a blueprint asks for, with its name for
//! content.

use std::fs;
use std::path::Path;

use ringfort_model::bundle::{API_VERSION, BundleLock, Entry, EntryKind, KIND, Sbom, Source};
use ringfort_model::digest::Digest;
use ringfort_model::mode::FileMode;

const FILES: &[&str] = &[
    "bridge",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "etcdctl",
    "etcdutl",
    "host-local",
    "kube-proxy",
    "kubectl",
    "kubelet",
    "loopback",
    "portmap",
    "runc",
];

const IMAGES: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "coredns",
    "pause",
    "probe",
];

/// Writes the bundle into a directory that does not exist yet.
pub fn write(directory: &Path) {
    fs::create_dir_all(directory.join("files")).unwrap();
    fs::write(directory.join("sbom.json"), "{}").unwrap();
    let mut entries = Vec::new();
    for (kind, names) in [(EntryKind::File, FILES), (EntryKind::Image, IMAGES)] {
        for name in names {
            let entry = entry(name, kind);
            fs::write(directory.join(&entry.path), name).unwrap();
            entries.push(entry);
        }
    }
    let lock = BundleLock {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        kubernetes: "1.37.9".parse().unwrap(),
        source: Source::Modules,
        compiler: None,
        recipe: Digest::of(b"recipe"),
        sbom: Sbom { path: "sbom.json".to_owned(), sha256: Digest::of(b"{}"), size: 2 },
        host_tools: Vec::new(),
        entries,
    };
    fs::write(directory.join("bundle.lock"), lock.render()).unwrap();
}

fn entry(name: &str, kind: EntryKind) -> Entry {
    let reference = (kind == EntryKind::Image).then(|| format!("registry.k8s.io/{name}:v1"));
    Entry {
        name: name.to_owned(),
        kind,
        path: format!("files/{name}"),
        version: "1".to_owned(),
        origin: "a test".to_owned(),
        sha256: Digest::of(name.as_bytes()),
        size: name.len() as u64,
        mode: FileMode(0o755),
        licence: "Apache-2.0".to_owned(),
        sbom: "a test".to_owned(),
        manifest: reference.as_ref().map(|reference| Digest::of(reference.as_bytes())),
        reference,
    }
}
