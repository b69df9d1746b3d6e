//! What running components name is protected, and told where no baseline has it.

use std::fs;
use std::os::unix::fs::symlink;

use ringfort_integrity::journal::Told;
use ringfort_integrity::judge::Aspect;

use super::Room;
use super::agent::{Ears, Site};

fn write(site: &Site, path: &str, text: &str) {
    let path = site.at(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A machine whose packages are compared with what they brought.
fn machine(room: &Room) -> Site {
    let site = Site::new(room, room.at("root"));
    write(&site, "/var/lib/dpkg/status", "");
    site
}

/// Runs a program as a service of root's, and ends what has that number.
fn run(site: &Site, pid: u32, exe: &str, arguments: &str) {
    let at = |name: &str| format!("/proc/{pid}/{name}");
    end(site, pid);
    write(site, &at("status"), "Uid:\t0\t0\t0\t0\n");
    write(site, &at("cgroup"), "0::/system.slice/a.service\n");
    write(site, &at("cmdline"), &format!("{exe} {arguments}").replace(' ', "\0"));
    symlink(exe, site.at(&at("exe"))).unwrap();
}

fn end(site: &Site, pid: u32) {
    let _ = fs::remove_dir_all(site.at(&format!("/proc/{pid}")));
}

/// Waits until something is told that differs at a path in this.
fn told(ears: &Ears, path: &str, aspect: Aspect) -> String {
    ears.wait(&format!("{aspect} of {path}"), |told| match told {
        Told::Change(change) if change.finding.path.to_string() == path => {
            let found = change.finding.differences.iter().find(|it| it.of == aspect);
            found.map(|it| it.found.clone())
        }
        _ => None,
    })
}

const SERVER: &str = "/usr/bin/kube-apiserver";

pub(super) fn what_a_flag_begins_to_name_is_protected_and_told_once(room: &Room) {
    let site = machine(room);
    for path in ["/srv/a.yaml", "/srv/b.yaml", "/srv/c.yaml"] {
        write(&site, path, "one");
    }
    run(&site, 7, SERVER, "--audit-policy-file=/srv/a.yaml");
    site.with_agent(|ears| {
        // What it names when it is first seen is protected, and told: neither the baseline nor a package has it.
        let by = told(ears, "/srv/a.yaml", Aspect::Named);
        assert!(by.starts_with("--audit-policy-file of kube-apiserver"), "{by}");
        write(&site, "/srv/a.yaml", "other");
        told(ears, "/srv/a.yaml", Aspect::Content);
        end(&site, 7);
        run(&site, 8, SERVER, "--audit-policy-file=/srv/a.yaml --audit-policy-file=/srv/b.yaml");
        let by = told(ears, "/srv/b.yaml", Aspect::Named);
        assert_eq!(
            by,
            "--audit-policy-file of kube-apiserver (pid 8, /usr/bin/kube-apiserver, a.service)"
        );
        write(&site, "/srv/b.yaml", "other");
        told(ears, "/srv/b.yaml", Aspect::Content);
    });
    assert_eq!(site.status().named, 3, "both, and the program");
    // What is named while nobody watches is told at the next start, and nothing else.
    run(&site, 8, SERVER, "--audit-policy-file=/srv/b.yaml --client-ca-file=/srv/c.yaml");
    site.with_agent(|ears| {
        told(ears, "/srv/c.yaml", Aspect::Named);
        let before = ears.before.borrow();
        assert!(!before.iter().any(|line| line.contains("\"named\"") && line.contains("b.yaml")));
    });
}

pub(super) fn what_is_put_into_a_named_directory_while_no_agent_runs_is_told(room: &Room) {
    let site = machine(room);
    write(&site, "/srv/conf.d/a.conf", "kind: KubeletConfiguration\n");
    run(&site, 7, "/usr/bin/kubelet", "--config-dir=/srv/conf.d");
    // Whoever is only called so names nothing.
    run(&site, 9, "/tmp/kubelet", "--config-dir=/srv/fake");
    let by = site.with_agent(|ears| told(ears, "/srv/conf.d", Aspect::Named));
    assert!(by.starts_with("--config-dir of kubelet"), "{by}");
    assert_eq!(site.status().named, 2, "the directory and the program");
    write(&site, "/srv/conf.d/evil.conf", "kind: KubeletConfiguration\n");
    site.with_agent(|ears| {
        ears.change("/srv/conf.d/evil.conf");
        let before = ears.before.borrow();
        for path in ["/srv/conf.d/a.conf", "/srv/fake"] {
            assert!(!before.iter().any(|line| line.contains(path)), "{path}: {before:?}");
        }
    });
}
