use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::containerd::made::containers;
use crate::layers::What;

/// A machine with one container: its own directory is 3, those of its image are 2 and 1.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let (containers, snapshots) = containers(&[3]);
        site.put(CONTAINERS, &containers);
        site.put(SNAPSHOTS, &snapshots);
        (1..=3).for_each(|number| fs::create_dir_all(site.at(number, "")).unwrap());
        site
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let at = self.0.path().join(&path[1..]);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, bytes).unwrap();
    }

    fn at(&self, number: u64, path: &str) -> PathBuf {
        self.0.path().join(&containerd::LAYERS[1..]).join(format!("{number}/fs{path}"))
    }

    fn file(&self, number: u64, path: &str, mode: u32, text: &str) {
        let at = self.at(number, path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, text).unwrap();
        fs::set_permissions(at, Permissions::from_mode(mode)).unwrap();
    }

    fn scan(&self) -> LayerScan {
        scan_with(self.0.path(), Pace::free(), Sight::Whole).unwrap()
    }

    fn unknown(&self) -> String {
        let scan = self.scan();
        assert_eq!((scan.findings, scan.unknown_count), (Vec::new(), 1));
        let Unknown { path, why } = &scan.unknown[0];
        format!("{path}: {why}")
    }
}

fn found(scan: &LayerScan) -> Vec<(String, What)> {
    assert_eq!(scan.unknown, []);
    let of = |it: &LayerFinding| (it.drift.path.to_string(), it.drift.what);
    let mut all: Vec<_> = scan.findings.iter().map(of).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[test]
fn a_machine_without_containers_has_none() {
    let site = Site(tempfile::tempdir().unwrap());
    assert_eq!(site.scan(), LayerScan::default());
}

#[test]
fn whoever_is_not_shown_what_hides_files_cannot_compare() {
    let site = Site::new();
    site.file(3, "/usr/bin/new", 0o755, "#!new");
    let scan = scan_with(site.0.path(), Pace::free(), Sight::Narrow).unwrap();
    assert_eq!((scan.findings_count, scan.unknown_count), (0, 1));
}

#[test]
fn what_a_container_runs_and_what_it_replaced_is_said_with_whose_it_is() {
    let site = Site::new();
    site.file(1, "/usr/bin/ls", 0o755, "#!lower");
    site.file(2, "/usr/bin/ls", 0o755, "#!upper");
    site.file(1, "/srv/same", 0o644, "same");
    site.file(3, "/srv/same", 0o644, "same");
    site.file(3, "/usr/bin/ls", 0o755, "#!other");
    site.file(3, "/usr/bin/new", 0o755, "#!new");
    site.file(3, "/var/log/app", 0o644, "line");
    let scan = site.scan();
    assert_eq!(
        found(&scan),
        [
            ("/usr/bin/ls".to_owned(), What::ImageFileReplaced),
            ("/usr/bin/new".to_owned(), What::NewExecutable),
        ]
    );
    let [replaced] = scan.findings.iter().filter(|it| it.before.is_some()).collect::<Vec<_>>()[..]
    else {
        panic!("{scan:?}")
    };
    let digest = |text: &str| format!("blake3:{}", blake3::hash(text.as_bytes()).to_hex());
    let of = |state: &Option<State>| state.clone().unwrap().digest.unwrap();
    assert_eq!(of(&replaced.before), digest("#!upper"), "the upper layer is what is seen");
    assert_eq!(of(&replaced.after), digest("#!other"));
    assert!(replaced.finding.path.to_string().ends_with("/snapshots/3/fs/usr/bin/ls"));
    let container = &replaced.drift.container;
    assert_eq!(container.pod.as_deref(), Some("web-3"));
    assert_eq!(container.namespace.as_deref(), Some("shop"));
    assert_eq!(container.name.as_deref(), Some("app"));
    assert_eq!((scan.containers, scan.findings_count), (1, 2));
}

/// A layer that is not on the disk makes the container unknown, whatever else it wrote.
#[test]
fn a_layer_that_is_not_there_is_named_and_no_pass() {
    let site = Site::new();
    site.file(3, "/var/log/app", 0o644, "line");
    fs::remove_dir_all(site.at(1, "")).unwrap();
    assert!(site.unknown().contains("layer k8s.io/1/sha256:base of registry.example/web:1"));
}

#[test]
fn what_cannot_be_read_of_containers_is_unknown() {
    let site = Site::new();
    fs::remove_dir_all(site.at(3, "")).unwrap();
    assert!(site.unknown().contains("the own directory of container c3 is not on this disk"));
    let site = Site::new();
    site.put(CONTAINERS, b"no database");
    assert!(site.unknown().contains("no bbolt database"));
    let site = Site::new();
    fs::remove_file(site.0.path().join(&CONTAINERS[1..])).unwrap();
    assert!(site.unknown().contains("it is not there"));
    let site = Site::new();
    fs::remove_file(site.0.path().join(&SNAPSHOTS[1..])).unwrap();
    assert!(site.unknown().contains("container c3: what its root is stacked of is not all there"));
    let site = Site(tempfile::tempdir().unwrap());
    site.put("/var/lib/docker/containers/a/config.v2.json", b"{}");
    assert!(site.unknown().contains("containers of Docker are not read"));
}
