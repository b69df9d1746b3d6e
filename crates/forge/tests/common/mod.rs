//! What tests of the blueprint render from.

#![allow(dead_code, reason = "not every test needs all of it")]

use ringfort_model::bundle::{API_VERSION, BundleLock, Entry, EntryKind, KIND, Sbom, Source};
use ringfort_model::digest::Digest;
use ringfort_model::mode::FileMode;
use ringfort_model::version::Minor;
use ringfort_spec::Spec;

const FILES: [&str; 13] = [
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

/// A bundle of a release that never was.
pub fn lock(minor: Minor) -> BundleLock {
    let mut entries: Vec<Entry> = FILES.iter().map(|name| entry(name, None)).collect();
    for name in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        entries.push(entry(name, Some(format!("registry.k8s.io/{name}:v{minor}.9"))));
    }
    for (name, tag) in [("etcd", "3.9.9-0"), ("coredns/coredns", "v1.9.9"), ("pause", "3.9")] {
        let short = name.rsplit('/').next().unwrap();
        entries.push(entry(short, Some(format!("registry.k8s.io/{name}:{tag}"))));
    }
    entries.push(entry("probe", Some("ringfort.dev/probe:1".to_owned())));
    BundleLock {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        kubernetes: format!("{minor}.9").parse().unwrap(),
        source: Source::Modules,
        compiler: None,
        recipe: Digest::of(b"recipe"),
        sbom: Sbom { path: "sbom.json".to_owned(), sha256: Digest::of(b"sbom"), size: 1 },
        host_tools: Vec::new(),
        entries,
    }
}

fn entry(name: &str, reference: Option<String>) -> Entry {
    let kind = if reference.is_some() { EntryKind::Image } else { EntryKind::File };
    Entry {
        name: name.to_owned(),
        kind,
        path: format!("files/{name}"),
        version: "9".to_owned(),
        origin: "a test".to_owned(),
        sha256: Digest::of(name.as_bytes()),
        size: 1,
        mode: FileMode(0o755),
        licence: "Apache-2.0".to_owned(),
        sbom: "a test".to_owned(),
        manifest: reference.as_ref().map(|reference| Digest::of(reference.as_bytes())),
        reference,
    }
}

/// Reads a specification of three and three, with more lines behind it.
pub fn spec_with(minor: Minor, more: &str) -> Spec {
    let text = format!(
        "apiVersion: ringfort.dev/v1\nkind: Cluster\nname: harbour\nkubernetes: \"{minor}\"\n\
         controlPlanes: [10.0.0.11, 10.0.0.12, 10.0.0.13]\n\
         workers: [10.0.0.21, 10.0.0.22, 10.0.0.23]\nssh: {{ user: root }}\n{more}"
    );
    let today = "2026-11-23".parse().unwrap();
    ringfort_spec::read(&text, "cluster.yaml", &ringfort_controls::known(), today)
        .unwrap_or_else(|report| panic!("{report}"))
}

/// Reads a specification of three and three.
pub fn spec(minor: Minor) -> Spec {
    spec_with(minor, "")
}
