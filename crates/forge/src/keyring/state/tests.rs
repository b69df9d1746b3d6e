use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ringfort_model::digest::Digest;
use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::trust::TrustFacts;

use super::{ClusterExists, Done, HeldState, Opened, StateDirectory, StateError};
use crate::keyring::{Identity, Keyring, Recipient};

const NOW: i64 = 1_800_000_000;

/// An operator with an identity and an empty directory for `cluster.yaml`.
struct Desk {
    directory: tempfile::TempDir,
    identity: Identity,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let identity = identity(directory.path());
        Self { directory, identity }
    }

    fn state(&self, cluster: &str) -> StateDirectory {
        let cluster = ClusterName::new(cluster).unwrap();
        StateDirectory::beside(&self.directory.path().join("cluster.yaml"), &cluster)
    }

    fn held(&self) -> HeldState {
        self.state("harbour").hold().unwrap()
    }

    fn open(&self, operators: &[&Identity], exists: ClusterExists) -> Result<Opened, StateError> {
        let operators: BTreeSet<Recipient> = operators.iter().map(|i| i.recipient()).collect();
        self.held().open_or_create(&self.identity, &operators, exists, NOW)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.state("harbour").path().join(name)
    }
}

fn identity(directory: &Path) -> Identity {
    Identity::make(&directory.join("identity.txt"), Timestamp::UNIX_EPOCH).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_cluster_gets_a_keyring_once() {
    let desk = Desk::new();
    let made = desk.open(&[], ClusterExists::No).unwrap();
    assert_eq!(made.done, Done { made_keyring: true, ..Done::default() });
    assert_eq!(mode(&desk.file("keyring.age")), 0o600);
    assert_eq!(mode(&desk.file("trust.json")), 0o644);
    assert_eq!(mode(desk.state("harbour").path()), 0o700);
    let (sealed, trust) =
        (fs::read(desk.file("keyring.age")).unwrap(), fs::read(desk.file("trust.json")).unwrap());
    for exists in [ClusterExists::No, ClusterExists::Yes] {
        let again = desk.open(&[], exists).unwrap();
        assert_eq!(again.done, Done::default());
        assert_eq!(again.keyring, made.keyring);
        assert_eq!(again.trust, made.trust);
    }
    assert_eq!(fs::read(desk.file("keyring.age")).unwrap(), sealed, "not sealed again");
    assert_eq!(fs::read(desk.file("trust.json")).unwrap(), trust);
}

#[test]
fn what_may_be_committed_holds_no_secret_and_the_rest_is_ignored() {
    let desk = Desk::new();
    let opened = desk.open(&[], ClusterExists::No).unwrap();
    let keyring = serde_json::to_value(&opened.keyring).unwrap();
    let secret = keyring["encryption"]["keys"][0]["secret"].as_str().unwrap();
    let key = keyring["authorities"]["cluster"]["key_pem"].as_str().unwrap();
    for name in ["keyring.age", "trust.json"] {
        let text = String::from_utf8_lossy(&fs::read(desk.file(name)).unwrap()).into_owned();
        assert!(!text.contains(secret) && !text.contains("PRIVATE"), "{name}");
        assert!(!text.contains(key.lines().nth(1).unwrap()), "{name}");
    }
    let ignored = fs::read_to_string(desk.file(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*"), "{ignored}");
}

#[test]
fn a_lost_keyring_is_never_made_anew() {
    let check = |trust: bool, exists: ClusterExists| {
        let desk = Desk::new();
        desk.open(&[], ClusterExists::No).unwrap();
        fs::remove_file(desk.file("keyring.age")).unwrap();
        if !trust {
            fs::remove_file(desk.file("trust.json")).unwrap();
        }
        let error = desk.open(&[], exists).unwrap_err();
        assert!(matches!(error, StateError::Lost { .. }), "{error:?}");
        assert!(!desk.file("keyring.age").exists());
    };
    check(true, ClusterExists::No);
    check(true, ClusterExists::Yes);
    check(false, ClusterExists::Yes);
}

#[test]
fn another_keyring_is_refused() {
    let desk = Desk::new();
    let first = desk.open(&[], ClusterExists::No).unwrap();
    fs::remove_file(desk.file("keyring.age")).unwrap();
    fs::remove_file(desk.file("trust.json")).unwrap();
    let second = desk.open(&[], ClusterExists::No).unwrap();
    assert_ne!(first.keyring, second.keyring);
    let check = |result: Result<Opened, StateError>, expected: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, StateError::Different { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    };

    desk.held().save_trust(&first.trust).unwrap();
    check(desk.open(&[], ClusterExists::No), "authority Cluster is another one");
    check(desk.state("harbour").open(&desk.identity), "authority Cluster is another one");

    let mut trust = second.trust.clone();
    trust.encryption.keys.push("k2-01234567".to_owned());
    desk.held().save_trust(&trust).unwrap();
    check(desk.open(&[], ClusterExists::No), "encryption key k2-01234567 is missing");

    let elsewhere = desk.state("anchorage");
    let held = elsewhere.hold().unwrap();
    fs::copy(desk.file("keyring.age"), elsewhere.keyring_path()).unwrap();
    let mixed = held.open_or_create(&desk.identity, &BTreeSet::new(), ClusterExists::No, NOW);
    check(mixed, "of the cluster harbour");
}

#[test]
fn a_damaged_or_foreign_keyring_is_left_as_it_is() {
    let desk = Desk::new();
    desk.open(&[], ClusterExists::No).unwrap();
    let good = fs::read(desk.file("keyring.age")).unwrap();
    let check = |bytes: &[u8], identity: &Identity, expected: &str| {
        fs::write(desk.file("keyring.age"), bytes).unwrap();
        let held = desk.held();
        let none = BTreeSet::new();
        let error = held.open_or_create(identity, &none, ClusterExists::No, NOW).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs::read(desk.file("keyring.age")).unwrap(), bytes);
    };
    check(&good[..good.len() - 1], &desk.identity, "damaged");
    check(b"", &desk.identity, "damaged");
    check(&good, &Desk::new().identity, "not sealed to age1");
}

#[test]
fn a_second_operator_is_let_in_by_the_specification() {
    let (first, second) = (Desk::new(), Desk::new());
    let made = first.open(&[], ClusterExists::No).unwrap();
    let admitted = first.open(&[&second.identity], ClusterExists::Yes).unwrap();
    assert_eq!(admitted.done, Done { sealed_again: true, ..Done::default() });
    assert_eq!(admitted.keyring.encryption(), made.keyring.encryption());
    let again = first.open(&[&second.identity], ClusterExists::Yes).unwrap();
    assert_eq!(again.done, Done::default());

    second.held();
    for name in ["keyring.age", "trust.json"] {
        fs::copy(first.file(name), second.file(name)).unwrap();
    }
    let theirs = second.open(&[&second.identity], ClusterExists::Yes).unwrap();
    assert_eq!(theirs.keyring, admitted.keyring);
    fs::copy(second.file("keyring.age"), first.file("keyring.age")).unwrap();
    assert!(first.open(&[], ClusterExists::Yes).is_ok(), "the first one is not locked out");
}

#[test]
fn trust_facts_outlive_a_run_and_are_made_anew_from_the_keyring() {
    let desk = Desk::new();
    let mut opened = desk.open(&[], ClusterExists::No).unwrap();
    let node = NodeName::new("cp1").unwrap();
    opened.trust.epoch = 7;
    opened.trust.note_service_account_key(&node, &Digest::of(b"1"), "PEM", NOW);
    desk.held().save_trust(&opened.trust).unwrap();
    assert_eq!(desk.open(&[], ClusterExists::Yes).unwrap().trust, opened.trust);

    fs::remove_file(desk.file("trust.json")).unwrap();
    let renewed = desk.open(&[], ClusterExists::Yes).unwrap();
    assert_eq!(renewed.done, Done { renewed_trust: true, ..Done::default() });
    assert_eq!(renewed.trust.authorities, opened.trust.authorities);
    assert!(renewed.done.renewed_trust, "whoever goes on must know that the facts are new");
    assert_eq!(desk.state("harbour").trust().unwrap(), Some(renewed.trust));
}

#[test]
fn a_run_that_stopped_between_the_two_files_is_taken_up() {
    let desk = Desk::new();
    let mut opened = desk.open(&[], ClusterExists::No).unwrap();
    let name = opened.keyring.encryption_mut().add(NOW).unwrap();
    desk.held().save_keyring(&opened.keyring, &desk.identity).unwrap();
    let again = desk.open(&[], ClusterExists::Yes).unwrap();
    assert_eq!(again.trust.encryption.keys.last(), Some(&name));
    assert_eq!(again.trust.encryption, opened.keyring.encryption_facts());
    assert_eq!(desk.state("harbour").trust().unwrap(), Some(again.trust));
}

#[test]
fn new_authorities_are_taken_up_wherever_writing_stopped() {
    let desk = Desk::new();
    let made = desk.open(&[], ClusterExists::No).unwrap();
    let Opened { mut keyring, mut trust, .. } = made.clone();
    desk.held().renew_authorities(&mut keyring, &mut trust, &desk.identity, NOW).unwrap();
    let opened = desk.state("harbour").open(&desk.identity).unwrap();
    assert_eq!((&opened.keyring, &opened.trust), (&keyring, &trust));
    for (authority, before) in &made.trust.authorities {
        assert_ne!(trust.authorities[authority].key_id, before.key_id, "{authority:?}");
    }
    assert_eq!(keyring.encryption(), made.keyring.encryption(), "old backups are still read");
    let public = |keyring: &Keyring| keyring.evidence_key().unwrap().public();
    assert_eq!(public(&keyring), public(&made.keyring));

    let between = TrustFacts { authorities: BTreeMap::new(), ..trust };
    desk.held().save_trust(&between).unwrap();
    for keyring in [&made.keyring, &keyring] {
        desk.held().save_keyring(keyring, &desk.identity).unwrap();
        let opened = desk.state("harbour").open(&desk.identity).unwrap();
        assert_eq!(opened.trust.authorities, keyring.authorities().unwrap());
    }
}

#[test]
fn two_operators_on_one_machine_do_not_write_at_once() {
    let desk = Desk::new();
    let held = desk.held();
    let error = desk.state("harbour").hold().unwrap_err();
    assert!(matches!(error, StateError::Busy { .. }), "{error:?}");
    let process = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&process), "{error}");
    assert!(desk.state("anchorage").hold().is_ok(), "another cluster is free");
    drop(held);
    assert!(desk.state("harbour").hold().is_ok());
}

#[test]
fn looking_changes_nothing() {
    let desk = Desk::new();
    let error = desk.state("harbour").open(&desk.identity).unwrap_err();
    assert!(matches!(error, StateError::None { .. }), "{error:?}");
    assert!(!desk.state("harbour").path().exists());
}

#[test]
fn what_an_interrupted_run_left_aside_is_replaced() {
    let desk = Desk::new();
    desk.held();
    fs::write(desk.file(".keyring.age.new"), "half").unwrap();
    fs::set_permissions(desk.file(".keyring.age.new"), fs::Permissions::from_mode(0o666)).unwrap();
    desk.open(&[], ClusterExists::No).unwrap();
    assert_eq!(mode(&desk.file("keyring.age")), 0o600);
    assert!(!desk.file(".keyring.age.new").exists());
}
