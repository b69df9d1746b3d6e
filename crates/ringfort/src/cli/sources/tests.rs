use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tempfile::TempDir;

use super::tool::Tools;
use super::{Sources, Unread, find_with, written};

/// A tree of files, and a directory of programs. One at a time: a program that another test is just starting
/// beside may hold a script open, and it would be busy.
struct Room(TempDir, #[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

static ONE: Mutex<()> = Mutex::new(());

impl Room {
    fn of(files: &[(&str, &str)]) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Self(tempfile::tempdir().unwrap(), one);
        fs::create_dir(room.0.path().join("bin")).unwrap();
        for (name, text) in files {
            let file = room.0.path().join("tree").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        room
    }

    /// Puts a program there. It has no other program to call.
    fn with(self, program: &str, script: &str) -> Self {
        let file = self.0.path().join("bin").join(program);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn find(&self, path: &str) -> Said {
        let tree = self.0.path().join("tree");
        let path = if path.is_empty() { tree.clone() } else { tree.join(path) };
        let tools = Tools {
            path: Some(self.0.path().join("bin").into()),
            patience: Duration::from_secs(20),
        };
        let named = [path.clone()];
        Said::of(
            find_with(&path, &named, &tools).unwrap_or_else(|unread| panic!("{unread}")),
            &tree,
        )
    }
}

/// What was found, by names within the tree.
#[derive(Debug)]
struct Said {
    files: Vec<String>,
    built: Vec<String>,
    unread: Vec<String>,
}

impl Said {
    fn of(sources: Sources, tree: &Path) -> Self {
        let short = |it: &Path| {
            let whole = it.canonicalize().unwrap();
            let tree = tree.canonicalize().unwrap();
            whole.strip_prefix(tree).unwrap().display().to_string()
        };
        Self {
            files: sources.files.iter().map(|it| short(it)).collect(),
            built: sources.built.into_iter().map(|it| it.text).collect(),
            unread: sources.unread.iter().map(|it| it.why.clone()).collect(),
        }
    }
}

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n";

#[test]
fn what_a_kustomization_only_lists_is_read_from_its_files() {
    let room = Room::of(&[
        ("kustomization.yaml", "resources: [a.yaml, base]\npatches: []\n"),
        ("a.yaml", POD),
        ("beside.yaml", POD),
        ("base/kustomization.yml", "resources: [b.txt]\n"),
        ("base/b.txt", POD),
    ]);
    let said = room.find("");
    assert_eq!(said.files, ["a.yaml", "base/b.txt", "beside.yaml"]);
    assert!(said.built.is_empty() && said.unread.is_empty(), "{said:?}");
}

#[test]
fn what_a_kustomization_changes_is_judged_as_it_is_built() {
    let tree = [
        ("base/kustomization.yaml", "resources: [a.yaml]\n"),
        ("base/a.yaml", POD),
        ("over/kustomization.yaml", "resources: [../base]\npatches: [{path: patch.yaml}]\n"),
        ("over/patch.yaml", POD),
    ];
    let said = Room::of(&tree).find("");
    assert!(said.files.is_empty() && said.built.is_empty(), "{said:?}");
    assert!(said.unread[0].contains("kubectl is not on this machine"), "{said:?}");

    let words = "echo \"$1 ${2##*/} $PATH$RINGFORT_SECRET\"";
    let said = Room::of(&tree).with("kubectl", words).find("");
    assert!(said.files.is_empty() && said.unread.is_empty(), "{said:?}");
    assert_eq!(said.built, ["kustomize over \n"]);

    let said = Room::of(&tree).with("kubectl", "echo why it is >&2; exit 1").find("over");
    assert!(said.built.is_empty() && said.unread[0].ends_with("why it is"), "{said:?}");
}

#[test]
fn nothing_is_fetched() {
    for kustomization in [
        "resources: [https://example.com/a.yaml]",
        "resources: ['github.com/example/a?ref=v1']",
        "resources: [a.yaml]\nconfigMapGenerator: [{name: a, files: ['k=https://example.com/a']}]",
        "resources: [a.yaml]\npatches: [{path: https://example.com/a.yaml}]",
        "resources: [a.yaml]\ntransformers: [https://example.com/a.yaml]",
        "helmCharts: [{name: a, repo: https://example.com}]",
    ] {
        let room = Room::of(&[("kustomization.yaml", kustomization), ("a.yaml", POD)]);
        let said = room.with("kubectl", "echo fetched").find("");
        assert!(said.built.is_empty(), "{kustomization}: {said:?}");
        assert_eq!(said.unread.len(), 1, "{kustomization}: {said:?}");
    }
}

#[test]
fn rings_and_unused_components_are_not_passed_over() {
    let room = Room::of(&[
        ("a/kustomization.yaml", "resources: [../b]\nnamePrefix: a-\n"),
        ("b/kustomization.yaml", "resources: [../a]\n"),
        ("c/kustomization.yaml", "kind: Component\nresources: [c.yaml]\n"),
        ("c/c.yaml", POD),
    ]);
    let said = room.find("");
    assert!(said.files.is_empty(), "{said:?}");
    assert_eq!(said.unread.len(), 2, "{said:?}");
}

#[test]
fn nothing_beside_a_kustomization_that_cannot_be_read_is_judged() {
    let room = Room::of(&[("a/kustomization.yaml", "patches: ["), ("a/patch.yaml", POD)]);
    let said = room.find("");
    assert!(said.files.is_empty() && said.unread.len() == 1, "{said:?}");
}

#[test]
fn templates_of_a_chart_are_never_manifests() {
    let tree = [
        ("web/Chart.yaml", "name: web\n"),
        ("web/values.yaml", "a: 1\n"),
        ("web/templates/a.yaml", "kind: {{ .Values.a }}\n"),
        ("web/charts/sub/Chart.yaml", "name: sub\n"),
        ("web/charts/sub/templates/a.yaml", POD),
        ("a.yaml", POD),
    ];
    let said = Room::of(&tree).find("");
    assert_eq!(said.files, ["a.yaml"]);
    assert_eq!(said.unread.len(), 1);
    assert!(said.unread[0].contains("helm is not on this machine"), "{said:?}");

    let said = Room::of(&tree).with("helm", "echo \"$1 ${2##*/}\"").find("web/Chart.yaml");
    assert_eq!(said.built, ["template web\n"]);

    let room = Room::of(&tree);
    let file = room.0.path().join("tree/web/templates/a.yaml");
    let tools = Tools { path: None, patience: Duration::ZERO };
    let unread = find_with(&file, &[], &tools).err().unwrap();
    assert!(unread.why.contains("name the chart"), "{unread}");
}

#[test]
fn a_program_that_does_not_end_is_ended() {
    let room = Room::of(&[("Chart.yaml", "name: a\n")]).with("helm", "while :; do :; done");
    let tools =
        Tools { path: Some(room.0.path().join("bin").into()), patience: Duration::from_millis(50) };
    let why = tools.helm(&room.0.path().join("tree")).unwrap_err();
    assert!(why.contains("took longer"), "{why}");
}

/// What is edited, by names within the tree, and what is left alone.
fn edited(room: &Room, path: &str) -> Result<(Vec<String>, Vec<String>, usize), String> {
    let tree = room.0.path().canonicalize().unwrap().join("tree");
    let path = if path.is_empty() { tree.clone() } else { tree.join(path) };
    let found = written(&path).map_err(|unread| unread.why)?;
    let short = |it: &Path| it.strip_prefix(&tree).unwrap().display().to_string();
    let left = |it: &Unread| short(Path::new(&it.name));
    let files = found.files.iter().map(|it| short(it)).collect();
    Ok((files, found.left.iter().map(left).collect(), found.unread.len()))
}

#[test]
fn a_patch_that_looks_like_a_workload_is_never_edited() {
    let room = Room::of(&[
        ("base/kustomization.yaml", "resources: [web.yaml]\n"),
        ("base/web.yaml", POD),
        (
            "prod/kustomization.yaml",
            "resources: [../base, own.yaml]\npatches: [{path: patches/web.yaml}]\n",
        ),
        ("prod/own.yaml", POD),
        ("prod/patches/web.yaml", POD),
        ("prod/patches/nobody.yaml", POD),
    ]);
    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let own = names(&["base/web.yaml", "prod/own.yaml", "prod/patches/nobody.yaml"]);
    let patch = names(&["prod/patches/web.yaml"]);
    assert_eq!(edited(&room, ""), Ok((own, patch.clone(), 0)));
    // The kustomization stands above what is named.
    let below = names(&["prod/patches/nobody.yaml"]);
    assert_eq!(edited(&room, "prod/patches"), Ok((below, patch, 0)));
    assert!(
        edited(&room, "prod/patches/web.yaml").is_err_and(|why| why.contains("a part of others"))
    );
    assert!(edited(&room, "prod/kustomization.yaml").is_err_and(|why| why.contains("no object")));
}

#[test]
fn nothing_is_edited_that_may_be_a_patch_or_a_template() {
    let room = Room::of(&[
        ("a/kustomization.yaml", "patches: ["),
        ("a/patch.yaml", POD),
        (
            "b/kustomization.yaml",
            "generators: [make.yaml]\nconfigMapGenerator: [{files: [x=data.yaml]}]\n",
        ),
        ("b/make.yaml", POD),
        ("b/data.yaml", POD),
        ("c/Chart.yaml", "name: c\n"),
        ("c/templates/a.yaml", POD),
    ]);
    let left = vec!["b/data.yaml".to_owned(), "b/make.yaml".to_owned()];
    assert_eq!(edited(&room, ""), Ok((vec![], left, 2)));
    assert!(edited(&room, "a/patch.yaml").is_err_and(|why| why.contains("cannot be read")));
    assert!(edited(&room, "c/templates/a.yaml").is_err_and(|why| why.contains("not edited")));
}

#[test]
fn what_a_link_leads_to_is_read_where_it_stands_or_named() {
    let room = Room::of(&[("own/a.yaml", POD), ("../other/b.yaml", POD)]);
    let (tree, other) = (room.0.path().join("tree"), room.0.path().join("other"));
    symlink("../other", tree.join("outside")).unwrap();
    symlink("..", tree.join("own/back")).unwrap();
    symlink("own", tree.join("again")).unwrap();
    symlink("nowhere", tree.join("lost")).unwrap();
    symlink("loop", tree.join("loop")).unwrap();
    let said = room.find("");
    assert_eq!(said.files, ["own/a.yaml"]);
    assert_eq!(said.unread.len(), 3, "{said:?}");
    assert!(said.unread.iter().any(|it| it.contains("outside of what was named")), "{said:?}");

    // Named as well, it is read there.
    let tools = Tools { path: None, patience: Duration::ZERO };
    let found = find_with(&tree, &[tree.clone(), other], &tools).unwrap();
    assert_eq!(found.unread.len(), 2, "{:?}", found.unread);
}

#[test]
fn a_link_that_a_kustomization_lists_is_followed() {
    let room = Room::of(&[
        ("kustomization.yaml", "resources: [base]\n"),
        ("../other/kustomization.yaml", "resources: [b.yaml]\n"),
        ("../other/b.yaml", POD),
    ]);
    let tree = room.0.path().join("tree");
    symlink("../other", tree.join("base")).unwrap();
    let tools = Tools { path: None, patience: Duration::ZERO };
    let found = find_with(&tree, std::slice::from_ref(&tree), &tools).unwrap();
    assert_eq!(found.files, [tree.join("base/b.yaml")]);
    assert!(found.unread.is_empty(), "{:?}", found.unread);
}

#[test]
fn a_directory_that_may_not_be_listed_is_unread_and_the_rest_is_read() {
    let room = Room::of(&[("a.yaml", POD), ("shut/b.yaml", POD), ("names/c.yaml", POD)]);
    let shut = room.0.path().join("tree/shut");
    let names = room.0.path().join("tree/names");
    let mode = |at: &Path, mode| {
        fs::set_permissions(at, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&shut, 0o000);
    mode(&names, 0o400);
    // Root reads all the same, unless it lays that right down: which only this thread does.
    let said = thread::scope(|scope| {
        let look = || {
            let mut sets = capabilities(None).unwrap();
            sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
            set_capabilities(None, sets).unwrap();
            let tree = room.0.path().join("tree");
            let tools = Tools { path: None, patience: Duration::ZERO };
            let said = find_with(&tree, std::slice::from_ref(&tree), &tools).unwrap();
            let named = find_with(&shut, std::slice::from_ref(&shut), &tools).is_err();
            (said.files, said.unread, named)
        };
        scope.spawn(look).join().unwrap()
    });
    mode(&shut, 0o700);
    mode(&names, 0o700);
    assert_eq!(said.0, [room.0.path().join("tree/a.yaml")]);
    let unread: Vec<&str> = said.1.iter().map(|it| it.name.rsplit('/').next().unwrap()).collect();
    assert_eq!(unread, ["c.yaml", "shut"]);
    assert!(said.2, "what is named itself is an error");
}

#[test]
fn what_leads_out_of_the_tree_is_not_edited() {
    let room = Room::of(&[
        ("a.yaml", POD),
        ("../other/b.yaml", POD),
        ("web/Chart.yaml", "name: web\n"),
        ("web/templates/c.yaml", POD),
    ]);
    let tree = room.0.path().join("tree");
    symlink("../other/b.yaml", tree.join("b.yaml")).unwrap();
    symlink("../other", tree.join("other")).unwrap();
    symlink("web/templates/c.yaml", tree.join("c.yaml")).unwrap();
    symlink("a.yaml", tree.join("same.yaml")).unwrap();
    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let left = names(&["other", "b.yaml", "c.yaml"]);
    assert_eq!(edited(&room, ""), Ok((names(&["a.yaml", "same.yaml"]), left, 1)));
    // Who names the link itself means what it leads to.
    assert_eq!(edited(&room, "b.yaml"), Ok((names(&["b.yaml"]), vec![], 0)));
    assert!(edited(&room, "c.yaml").is_err_and(|why| why.contains("not edited")));
}
