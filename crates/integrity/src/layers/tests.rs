use ringfort_model::mode::{FileMode, Owner};

use super::*;
use crate::containerd::Layer;
use crate::judge::Aspect;

fn file(mode: u32, text: &str) -> Piece {
    let state = State {
        kind: Kind::File,
        mode: FileMode(mode),
        owner: Owner::ROOT,
        size: text.len() as u64,
        digest: Some(format!("blake3:{text}")),
        number: None,
        capabilities: None,
    };
    let head = text.bytes().take(4).collect();
    Piece { state, traits: Traits { head, ..Traits::default() } }
}

fn of(kind: Kind) -> Piece {
    let piece = file(0o755, "x");
    Piece { state: State { kind, size: 0, digest: None, ..piece.state }, traits: Traits::default() }
}

const ELF: &str = "\x7fELF and more";

fn check(path: &str, own: &Piece, image: Option<&Piece>, expected: Option<(What, Severity)>) {
    let found = judge(&path.parse().unwrap(), own, image);
    assert_eq!(found.map(|it| (it.what, it.severity)), expected, "{path} {own:?} {image:?}");
}

#[test]
fn what_can_be_run_and_came_with_no_image_is_drift() {
    use What::{NewDevice, NewExecutable};
    let new = |path, own: &Piece, expected| check(path, own, None, expected);
    new("/usr/bin/x", &file(0o755, ELF), Some((NewExecutable, Severity::High)));
    new("/tmp/x", &file(0o644, ELF), Some((NewExecutable, Severity::High)));
    new("/tmp/x", &file(0o644, "#!/bin/sh\n"), Some((NewExecutable, Severity::High)));
    new("/tmp/x", &file(0o700, "ls"), Some((NewExecutable, Severity::Medium)));
    new("/tmp/x", &file(0o4755, ELF), Some((NewExecutable, Severity::Critical)));
    let mut able = file(0o755, ELF);
    able.traits.capabilities = Some(vec![1]);
    new("/tmp/x", &able, Some((NewExecutable, Severity::Critical)));
    new("/etc/ld.so.preload", &file(0o644, "/x.so"), Some((NewExecutable, Severity::High)));
    new("/dev/x", &of(Kind::Device), Some((NewDevice, Severity::Critical)));
}

#[test]
fn what_a_container_writes_that_cannot_be_run_is_its_business() {
    let new = |path, own: &Piece| check(path, own, None, None);
    new("/var/log/app.log", &file(0o644, "line"));
    new("/tmp/data", &file(0o666, "\x7fEL"));
    new("/tmp/empty", &file(0o755, ""));
    for kind in [Kind::Directory, Kind::Link, Kind::Fifo, Kind::Socket] {
        new("/run/x", &of(kind));
    }
}

#[test]
fn a_file_of_the_image_that_is_another_is_drift_and_one_that_is_the_same_is_none() {
    use What::ImageFileReplaced;
    let over = |path, own: &Piece, image: &Piece, expected: Option<Severity>| {
        check(path, own, Some(image), expected.map(|it| (ImageFileReplaced, it)));
    };
    let (program, data) = (file(0o755, ELF), file(0o644, "one"));
    over("/usr/bin/x", &program, &program, None);
    over("/usr/bin/x", &file(0o755, "\x7fELF other"), &program, Some(Severity::High));
    over("/srv/x", &file(0o644, "two"), &data, Some(Severity::Low));
    over("/etc/x", &file(0o644, "two"), &data, Some(Severity::Medium));
    over("/srv/x", &program, &data, Some(Severity::High));
    over("/usr/bin/x", &of(Kind::Link), &program, Some(Severity::High));
    over("/usr/bin", &of(Kind::Directory), &data, Some(Severity::Low));
    over("/usr/bin", &of(Kind::Directory), &of(Kind::Directory), None);
}

#[test]
fn what_may_do_more_than_in_its_image_is_drift_and_other_owners_are_none() {
    use What::ImageFileReplaced;
    let image = file(0o755, ELF);
    let mut own = file(0o755, ELF);
    own.state.owner = Owner { uid: 65_536, gid: 65_536 };
    check("/usr/bin/x", &own, Some(&image), None);
    check("/usr/bin/x", &file(0o500, ELF), Some(&image), None);
    let set = file(0o4755, ELF);
    check("/usr/bin/x", &set, Some(&image), Some((ImageFileReplaced, Severity::Critical)));
    check("/usr/bin/x", &image, Some(&set), None);
    own.traits.capabilities = Some(vec![1]);
    check("/usr/bin/x", &own, Some(&image), Some((ImageFileReplaced, Severity::Critical)));
    check("/usr/bin/x", &own, Some(&own.clone()), None);
    let (data, run) = (file(0o644, "one"), file(0o755, "one"));
    check("/srv/x", &run, Some(&data), Some((ImageFileReplaced, Severity::High)));
}

#[test]
fn what_lies_below_is_what_a_copy_of_its_metadata_holds() {
    let image = file(0o755, ELF);
    let mut own = file(0o755, "");
    own.traits.is_metadata = true;
    check("/usr/bin/x", &own, Some(&image), None);
    own.state.mode = FileMode(0o4755);
    let found = judge(&"/usr/bin/x".parse().unwrap(), &own, Some(&image)).unwrap();
    assert_eq!(found.differences.iter().map(|it| it.of).collect::<Vec<_>>(), [Aspect::Mode]);
}

#[test]
fn what_is_gone_matters_by_what_it_was() {
    let check = |path: &str, image: &Piece, severity| {
        let found = removed(&path.parse().unwrap(), image);
        assert_eq!((found.what, found.severity), (What::ImageFileRemoved, severity), "{path}");
        assert_eq!(found.differences.len(), 1);
    };
    check("/usr/bin/x", &file(0o755, ELF), Severity::Medium);
    check("/etc/x", &file(0o644, "one"), Severity::Medium);
    check("/srv/x", &file(0o644, "one"), Severity::Low);
    check("/srv/x", &of(Kind::Directory), Severity::Low);
}

#[test]
fn a_path_is_said_as_the_container_has_it() {
    let image = vec![Layer { number: 1, name: String::new() }];
    let stack = Stack { container: Container::default(), own: 3, image };
    let inside = |text: &str| {
        let path: FilePath = format!("{LAYERS}{text}").parse().unwrap();
        inside(&stack, &path).map(|it| it.to_string())
    };
    assert_eq!(inside("/3/fs/usr/bin/x").as_deref(), Some("/usr/bin/x"));
    assert_eq!(inside("/3/fs").as_deref(), Some("/"));
    for other in ["/31/fs/x", "/3/work", "/3/fsx", "/1/fs/x", ""] {
        assert_eq!(inside(other), None, "{other}");
    }
}

#[test]
fn the_same_drift_is_known_in_every_container_of_the_same_image_and_no_other_is() {
    use ringfort_model::mode::{FileMode, Owner};
    let state = State {
        kind: Kind::File,
        mode: FileMode(0o755),
        owner: Owner::ROOT,
        size: 2,
        digest: Some("blake3:aa".to_owned()),
        number: None,
        capabilities: None,
    };
    let layers = Some("sha256:top".to_owned());
    let container = Container { id: "c1".to_owned(), layers, ..Container::default() };
    let drift = Drift { what: What::NewExecutable, path: "/run.sh".parse().unwrap(), container };
    let key = drift.key(Some(&state)).unwrap();
    let mut other = drift.clone();
    (other.container.id, other.container.pod) = ("c2".to_owned(), Some("web-2".to_owned()));
    other.container.image = Some("registry.example/web:latest".to_owned());
    assert_eq!(
        other.key(Some(&State { size: 3, owner: Owner::ETCD, ..state.clone() })),
        Some(key.clone())
    );
    let check = |change: &dyn Fn(&mut Drift, &mut State)| {
        let (mut drift, mut state) = (drift.clone(), state.clone());
        change(&mut drift, &mut state);
        assert_ne!(drift.key(Some(&state)), Some(key.clone()), "{drift:?} {state:?}");
    };
    check(&|_, state| state.digest = Some("blake3:bb".to_owned()));
    check(&|_, state| state.mode = FileMode(0o4755));
    check(&|_, state| state.digest = None);
    check(&|_, state| state.kind = Kind::Device);
    check(&|drift, _| drift.path = "/run.sh2".parse().unwrap());
    check(&|drift, _| drift.container.layers = Some("sha256:other".to_owned()));
    check(&|drift, _| drift.container.layers = None);
    check(&|drift, _| drift.what = What::ImageFileReplaced);
    check(&|drift, _| drift.what = What::More);
    let removed = Drift { what: What::ImageFileRemoved, ..drift };
    assert!(removed.key(None).is_some() && removed.key(Some(&state)).is_none());
}
