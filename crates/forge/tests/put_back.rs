//! What agents put back by themselves, in the blueprint.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::BTreeSet;

use common::{lock, spec_with};
use ringfort_controls::audit::site::NONE;
use ringfort_forge::render::{Materials, RenderError, render, sample_trust};
use ringfort_model::blueprint::{Blueprint, Machine, Role};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::integrity::{BASELINE, CANARY, KEY, PutBack, REPAIR};
use ringfort_model::item::{ItemId, What};
use ringfort_model::mode::Owner;
use ringfort_model::version::Minor;

const UNIT: &str = "/etc/systemd/system/ringfort-integrity.service";

fn drawn(more: &str) -> Result<Blueprint, RenderError> {
    let lock = lock(Minor::V1_37);
    let ringfort = Digest::of(b"r");
    let materials = Materials { bundle: &lock, ringfort, addons: &[], site: &NONE };
    let spec = spec_with(Minor::V1_37, more);
    render(&spec, &sample_trust(&spec).unwrap(), &materials)
}

fn text<'m>(machine: &'m Machine, path: &str) -> &'m str {
    match &machine.items[&ItemId::file(path)].what {
        What::File { content: Content::Text(text), .. } => text,
        other => panic!("{path}: {other:?}"),
    }
}

/// Where the agent may write.
fn open(machine: &Machine) -> Vec<&str> {
    let lines = text(machine, UNIT).lines();
    lines.filter_map(|line| line.strip_prefix("ReadWritePaths=")).collect()
}

#[test]
fn agents_put_nothing_back_and_can_write_nowhere_unless_that_is_asked_for() {
    for more in ["", "integrity: { repair: up }\n"] {
        for machine in drawn(more).unwrap().machines.values() {
            assert!(!machine.items.contains_key(&ItemId::file(REPAIR)));
            assert_eq!(open(machine), ["/var/lib/ringfort/integrity"]);
            assert!(!text(machine, UNIT).contains("CAP_CHOWN"));
        }
    }
}

#[test]
fn everything_is_put_back_that_is_known_and_no_secret() {
    for machine in drawn("integrity: { repair: automatic }\n").unwrap().machines.values() {
        let list = PutBack::read(text(machine, REPAIR)).unwrap().0;
        let others = machine.items.iter().filter_map(|(id, item)| match (id, &item.what) {
            (ItemId::Directory(path), What::Directory { owner, .. }) if *owner != Owner::ROOT => {
                Some(format!("{path}/"))
            }
            _ => None,
        });
        let others: Vec<String> = others.collect();
        for (id, item) in &machine.items {
            let (ItemId::File(path), What::File { content, .. }) = (id, &item.what) else {
                continue;
            };
            let is_known = matches!(content, Content::Text(_) | Content::Bundled { .. });
            let is_meant = is_known && ![BASELINE, CANARY].contains(&path.as_str());
            // Whoever is not root has directories of his own, and could exchange what is put there.
            let is_others = others.iter().any(|directory| path.starts_with(directory));
            assert_eq!(list.contains_key(path), is_meant && !is_others, "{path}");
        }
        for path in [REPAIR, KEY, UNIT, "/usr/local/bin/kubelet", "/var/lib/kubelet/config.yaml"] {
            assert!(list.contains_key(path), "{path}");
        }
        let readers: BTreeSet<String> =
            list["/var/lib/kubelet/config.yaml"].iter().map(ToString::to_string).collect();
        assert_eq!(readers, BTreeSet::from(["unit:kubelet.service".to_owned()]));
        let open: BTreeSet<&str> = open(machine).into_iter().collect();
        assert!(open.contains("-/etc/kubernetes") && open.contains("-/usr/local/bin"), "{open:?}");
        let broad = ["-/", "-/etc", "-/usr", "-/var", "-/var/lib", "-/etc/kubernetes/manifests"];
        assert!(broad.iter().all(|path| !open.contains(path)), "{open:?}");
        if machine.role == Role::ControlPlane {
            assert!(others.contains(&"/etc/etcd/".to_owned()), "{others:?}");
            assert!(list.contains_key("/etc/kubernetes/manifests/etcd.yaml"));
            // It is its component's, and so has to be given away.
            assert!(list.contains_key("/etc/kubernetes/scheduler.conf"));
            assert!(text(machine, UNIT).contains("CAP_SYS_PTRACE CAP_CHOWN\n"));
            let api = &list["/etc/kubernetes/authz/config.yaml"];
            let serving = ItemId::Serving("kube-apiserver".to_owned());
            assert!(api.is_empty() || api.contains(&serving), "{api:?}");
        }
    }
}

#[test]
fn some_paths_open_only_their_directories_and_are_listed_alone() {
    let more = "integrity: { repair: automatic, paths: [/etc/kubernetes/manifests, /usr/local/bin/kubelet] }\n";
    for machine in drawn(more).unwrap().machines.values() {
        let list = PutBack::read(text(machine, REPAIR)).unwrap().0;
        let is_meant = |path: &String| {
            path.starts_with("/etc/kubernetes/manifests/")
                || [REPAIR, "/usr/local/bin/kubelet"].contains(&path.as_str())
        };
        assert!(list.keys().all(is_meant), "{list:?}");
        let manifests: &[&str] = match machine.role {
            Role::ControlPlane => &["-/etc/kubernetes/manifests"],
            Role::Worker => &[],
        };
        assert!(!text(machine, UNIT).contains("CAP_CHOWN"), "all of these are root's");
        let own = "/var/lib/ringfort/integrity";
        let expected =
            [&[own], manifests, &["-/etc/ringfort/integrity", "-/usr/local/bin"]].concat();
        assert_eq!(open(machine), expected);
    }
}

#[test]
fn a_path_where_nothing_of_ringforts_is_refused() {
    for path in
        ["/etc/shadow", "/etc/kubernetes/encryption/config.yaml", "/etc/kubernetes/pki/sa.key"]
    {
        let more = format!(
            "integrity: {{ repair: automatic, paths: [{path}, /etc/kubernetes/kubelet.conf] }}\n"
        );
        let error = drawn(&more).unwrap_err().to_string();
        assert!(
            error.contains(&format!("names {path},")) && !error.contains("kubelet.conf"),
            "{error}"
        );
    }
}
