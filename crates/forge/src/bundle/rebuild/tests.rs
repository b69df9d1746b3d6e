//! Bundles whose programs are their names, built again by makers that do, alter and fail.

use std::fs;
use std::path::Path;

use ringfort_model::bundle::BundleLock;
use ringfort_model::digest::Digest;

use super::{Answer, Kind, Packages, Rebuild, RebuildError, Rebuilt, rebuild, rebuild_with};
use crate::bundle::build::{Order, Sourcing, build_with, shipped};
use crate::bundle::directory::Bundle;
use crate::bundle::namer::Namer;

/// Makes a bundle, and changes its lock.
fn bundle(cache: &Path, change: impl FnOnce(String) -> String) -> Bundle {
    let kubernetes = "1.37".parse().expect("a version");
    let order = Order { kubernetes, sourcing: Sourcing::Modules, authorities: None };
    let built = build_with(&Namer::default(), &order, cache, &mut |_| {}).expect("a bundle");
    let path = built.join("bundle.lock");
    let text = fs::read_to_string(&path).expect("its lock");
    fs::write(&path, change(text)).expect("it is written");
    Bundle::open(&built).expect("a bundle")
}

fn asked<'a>(bundle: &'a Bundle, only: &'a [String]) -> Rebuild<'a> {
    Rebuild { bundle, only, authorities: None, packages: Packages::Cached }
}

fn again(maker: &Namer, asked: &Rebuild<'_>, cache: &Path) -> Result<Rebuilt, RebuildError> {
    rebuild_with(maker, asked, &cache.join("rebuilt"), &mut |_| {})
}

fn answer<'r>(rebuilt: &'r Rebuilt, name: &str) -> &'r Answer {
    let row = rebuilt.rows.iter().find(|row| row.name == name);
    &row.unwrap_or_else(|| panic!("no row {name}: {:?}", rebuilt.rows)).answer
}

fn count_same(rebuilt: &Rebuilt) -> usize {
    rebuilt.rows.iter().filter(|row| matches!(row.answer, Answer::Same { .. })).count()
}

#[test]
fn what_is_built_again_is_the_same_down_to_the_lock() {
    let cache = tempfile::tempdir().expect("a directory");
    let bundle = bundle(cache.path(), |text| text);
    let maker = Namer::default();
    let rebuilt = again(&maker, &asked(&bundle, &[]), cache.path()).expect("it is built");
    assert!(!rebuilt.differs() && !rebuilt.lacks() && rebuilt.is_of_one_recipe());
    assert_eq!(count_same(&rebuilt), shipped().count() + 2, "{:?}", rebuilt.rows);
    assert_eq!(rebuilt.rows.last().map(|row| row.kind), Some(Kind::Lock));
    // Nothing that was finished is used, though the cache has it.
    assert_eq!(maker.made.borrow().len(), shipped().count());
    let programs = cache.path().join("rebuilt/programs");
    assert!(!programs.exists(), "what was compared takes no room");
}

#[test]
fn one_other_byte_is_told_with_both_digests() {
    let cache = tempfile::tempdir().expect("a directory");
    let bundle = bundle(cache.path(), |text| text);
    for (name, kind) in [("kubelet", Kind::File), ("etcd", Kind::Image)] {
        let maker = Namer { alters: Some(name), ..Namer::default() };
        let rebuilt = again(&maker, &asked(&bundle, &[]), cache.path()).expect("it is built");
        assert!(rebuilt.differs() && !rebuilt.lacks(), "{name}");
        assert_eq!(
            count_same(&rebuilt),
            shipped().count() - 1,
            "the rest is the same, and no lock is compared"
        );
        let Answer::Differs { locked, built, origins: None } = answer(&rebuilt, name) else {
            panic!("{:?}", answer(&rebuilt, name))
        };
        assert_ne!(locked, built);
        let row = rebuilt.rows.iter().find(|row| row.name == name).expect("its row");
        assert_eq!(row.kind, kind);
        let said = format!(
            "{kind} {name}: differs: built again its digest is {built}, the lock says {locked}"
        );
        assert_eq!(row.to_string(), said);
    }
}

#[test]
fn what_cannot_be_built_is_no_pass_and_stops_nothing_else() {
    let cache = tempfile::tempdir().expect("a directory");
    let bundle = bundle(cache.path(), |text| text);
    let maker = Namer { fails_at: Some("runc"), ..Namer::default() };
    let rebuilt = again(&maker, &asked(&bundle, &[]), cache.path()).expect("it is tried");
    assert!(rebuilt.lacks() && !rebuilt.differs());
    let why = "building failed:\nno space".to_owned();
    assert_eq!(*answer(&rebuilt, "runc"), Answer::NotBuilt { why });
    assert_eq!(count_same(&rebuilt), shipped().count() - 1);
}

#[test]
fn only_what_is_named_is_built() {
    let cache = tempfile::tempdir().expect("a directory");
    let bundle = bundle(cache.path(), |text| text);
    let maker = Namer::default();
    let only = ["kubectl".to_owned(), "pause".to_owned()];
    let rebuilt = again(&maker, &asked(&bundle, &only), cache.path()).expect("they are built");
    assert_eq!(*maker.made.borrow(), ["pause", "kubectl"]);
    assert_eq!(count_same(&rebuilt), 2);
    assert_eq!(rebuilt.rows.len(), 2);
    let unknown = ["kubecti".to_owned()];
    let error = again(&maker, &asked(&bundle, &unknown), cache.path()).expect_err("unknown");
    assert!(
        error.to_string().starts_with("there is no \"kubecti\" in the bundle: it holds "),
        "{error}"
    );
}

#[test]
fn other_names_in_the_lock_are_seen() {
    let cache = tempfile::tempdir().expect("a directory");
    let renamed = |text: String| text.replace("\"name\": \"kubectl\"", "\"name\": \"kubecti\"");
    let bundle = bundle(cache.path(), renamed);
    let rebuilt = again(&Namer::default(), &asked(&bundle, &[]), cache.path()).expect("built");
    assert_eq!(*answer(&rebuilt, "kubectl"), Answer::Unlisted);
    assert!(matches!(answer(&rebuilt, "kubecti"), Answer::NotBuilt { .. }));
    assert!(!rebuilt.differs() && rebuilt.lacks(), "nothing was compared with another");
}

#[test]
fn a_lock_that_differs_in_words_alone_is_seen() {
    let cache = tempfile::tempdir().expect("a directory");
    let bundle = bundle(cache.path(), |text| text.replace("kubelet mounts volumes", "it mounts"));
    let rebuilt = again(&Namer::default(), &asked(&bundle, &[]), cache.path()).expect("built");
    assert!(matches!(answer(&rebuilt, "bundle.lock"), Answer::Differs { .. }));
    assert!(matches!(answer(&rebuilt, "sbom.cdx.json"), Answer::Same { .. }));
}

#[test]
fn other_bytes_of_another_origin_differ_and_both_are_told() {
    let cache = tempfile::tempdir().expect("a directory");
    let bundle = bundle(cache.path(), |text| text.replace("here kubelet", "there kubelet"));
    let maker = Namer { alters: Some("kubelet"), ..Namer::default() };
    let rebuilt = again(&maker, &asked(&bundle, &[]), cache.path()).expect("it is built");
    assert!(rebuilt.differs() && !rebuilt.lacks(), "{:?}", rebuilt.rows);
    let row = rebuilt.rows.iter().find(|row| row.name == "kubelet").expect("its row");
    let said = row.to_string();
    let origins = "; there it comes from \"there kubelet\", and here from \"here kubelet\"";
    assert!(said.ends_with(origins), "{said}");
}

#[test]
fn another_recipe_is_told() {
    let cache = tempfile::tempdir().expect("a directory");
    let other = |text: String| {
        let mut lock = BundleLock::parse(&text).expect("a lock");
        lock.recipe = Digest::of(b"other");
        lock.render()
    };
    let bundle = bundle(cache.path(), other);
    let rebuilt = again(&Namer::default(), &asked(&bundle, &[]), cache.path()).expect("built");
    assert!(!rebuilt.is_of_one_recipe());
    assert!(matches!(answer(&rebuilt, "bundle.lock"), Answer::Differs { .. }));
}

#[test]
fn another_compiler_and_upstreams_files_are_refused() {
    let cache = tempfile::tempdir().expect("a directory");
    let older = bundle(cache.path(), |text| text.replace("go1.26.8", "go1.26.7"));
    let error = again(&Namer::default(), &asked(&older, &[]), cache.path()).expect_err("other");
    assert_eq!(
        error.to_string(),
        "the bundle was built by go1.26.7, and here is go1.26.8, which gives other bytes: put go1.26.7 first in PATH and run again"
    );
    let other = tempfile::tempdir().expect("a directory");
    let from = |text: String| text.replace("\"source\": \"modules\"", "\"source\": \"upstream\"");
    let taken = bundle(other.path(), from);
    let error = rebuild(&asked(&taken, &[]), other.path(), &mut |_| {}).expect_err("upstream");
    assert!(error.to_string().contains("which are not built here"), "{error}");
}
