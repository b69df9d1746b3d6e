//! `cargo xtask demo`: from a fresh machine to a proved cluster on six throwaway machines.
//!
//! It says what it will do, then does it by the same commands that a person would type. Every step
//! can be interrupted and repeated; what is there is used again.

mod machine;
mod sample;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::failure::{Failure, Result};
use crate::stages::KUBERNETES;
use crate::workspace::{self, Workspace};
use crate::{packages, process};

const USAGE: &str = "usage: cargo xtask demo [--json] | --down [--purge]";
/// The lab and the cluster of the demo.
const LAB: &str = "demo";
/// Where the names of packages are kept that the demo itself installed.
const INSTALLED: &str = "installed-packages";
/// What the demo wrote as the cluster's specification, to know it again.
const WRITTEN: &str = "cluster.yaml.written";
/// Where every lab of the host has a directory while it runs.
const RUNNING: &str = "/run/ringfort-lab";

/// Brings the demo up, or takes it down.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let demo = Demo::new(workspace)?;
    match arguments {
        [] => demo.up(Output::Table),
        ["--json"] => demo.up(Output::Events),
        ["--down"] => demo.down(Caches::Keep),
        ["--down", "--purge"] => demo.down(Caches::Remove),
        _ => Err(Failure::usage(USAGE)),
    }
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Output {
    /// The table of what was proved, for people.
    Table,
    /// The events of the run, one line of JSON each.
    Events,
}

/// What becomes of the caches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Caches {
    Keep,
    Remove,
}

struct Demo<'a> {
    workspace: &'a Workspace,
    directory: PathBuf,
    ringfort: PathBuf,
}

impl<'a> Demo<'a> {
    fn new(workspace: &'a Workspace) -> Result<Self> {
        let directory = workspace.root().join(".ringfort").join(LAB);
        let ringfort = workspace.built("debug")?.join("ringfort");
        Ok(Self { workspace, directory, ringfort })
    }

    fn up(&self, output: Output) -> Result<()> {
        let missing = packages::missing();
        self.announce(&missing);
        machine::check(self.workspace.root())?;
        fs::create_dir_all(&self.directory)
            .map_err(|source| Failure::at("make", &self.directory, &source))?;
        timed("system packages", || self.install(&missing))?;
        timed("ringfort", || self.build())?;
        let bundle = timed("bundle", || self.bundle())?;
        timed("machines", || self.boot(&bundle))?;
        let spec = self.write_spec()?;
        let code = timed("cluster", || self.converge(&spec, &bundle, output))?;
        match code {
            0 => self.conclude(&bundle, output),
            1 => Err(Failure::findings(
                "not everything was proved, so no kubeconfig was issued; the lines above say why",
            )),
            2 => Err(Failure::usage(format!(
                "ringfort up does not take {} as it is; the lines above say why. Correct it, or remove it to have it \
                 written anew, and run `cargo xtask demo` again",
                spec.display()
            ))),
            code => Err(Failure::stuck(format!(
                "ringfort up ended with {code}; running `cargo xtask demo` again goes on from here"
            ))),
        }
    }

    /// Says what is about to happen, before anything does.
    fn announce(&self, missing: &[&packages::Package]) {
        eprintln!(
            "This makes a Kubernetes {KUBERNETES} cluster of six throwaway machines on this host:\n"
        );
        if missing.is_empty() {
            eprintln!("  1. install nothing: every system package that is needed is there");
        } else {
            eprintln!("  1. install system packages:");
            for package in missing {
                eprintln!("       {:<18} {}", package.name, package.why);
            }
        }
        eprintln!("  2. compile ringfort");
        eprintln!(
            "  3. build the bundle, all of Kubernetes from source (about 15 minutes the first"
        );
        eprintln!("     time on two cores, kept in {})", workspace::cache().display());
        eprintln!("  4. boot three control planes and three workers in a network of their own");
        eprintln!("  5. run `ringfort up` on {}", self.spec().display());
        eprintln!("\n`cargo xtask demo --down` takes it all away again.\n");
    }

    fn install(&self, missing: &[&'static packages::Package]) -> Result<()> {
        let path = self.directory.join(INSTALLED);
        let mut names = fs::read_to_string(&path).unwrap_or_default();
        for name in packages::install(missing)? {
            names.push_str(name);
            names.push('\n');
        }
        fs::write(&path, names).map_err(|source| Failure::at("write", &path, &source))
    }

    fn build(&self) -> Result<()> {
        let arguments = ["build", "--workspace", "--bins", "--locked"];
        process::run(self.workspace.cargo(&arguments).stdout(std::io::stderr()))
    }

    /// Builds the bundle, or finds it in the cache, and returns its directory.
    fn bundle(&self) -> Result<PathBuf> {
        let mut command = Command::new(&self.ringfort);
        let printed =
            process::capture(command.args(["bundle", "build", "--kubernetes", KUBERNETES]))?;
        let last = printed.lines().last().map(PathBuf::from);
        last.ok_or_else(|| Failure::stuck("`ringfort bundle build` named no directory"))
    }

    /// Boots what is not running yet. The machines see the bundle as a golden image would carry it,
    /// so that it need not be sent to each.
    fn boot(&self, bundle: &Path) -> Result<()> {
        let mut command = Command::new(&self.ringfort);
        command.args(["lab", "up", LAB, "--store"]).arg(bundle).stdout(std::io::stderr());
        process::run(&mut command)
    }

    fn spec(&self) -> PathBuf {
        self.directory.join("cluster.yaml")
    }

    /// Writes the cluster's specification, unless one is there that somebody has changed: what it waives ends after
    /// a month.
    fn write_spec(&self) -> Result<PathBuf> {
        let path = self.spec();
        let kept = self.directory.join(WRITTEN);
        if is_unchanged(&path, &kept) {
            let text = process::capture(Command::new(&self.ringfort).args(["lab", "hosts", LAB]))?;
            for path in [&kept, &path] {
                fs::write(path, &text).map_err(|source| Failure::at("write", path, &source))?;
            }
        }
        let text =
            fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))?;
        let indented: Vec<_> = text.lines().map(|line| format!("    {line}")).collect();
        eprintln!("{}:\n\n{}\n", path.display(), indented.join("\n"));
        Ok(path)
    }

    /// Runs `ringfort up` with an identity of the demo's own, which goes when the demo goes: nothing
    /// is left among the user's settings.
    fn converge(&self, spec: &Path, bundle: &Path, output: Output) -> Result<u8> {
        let mut command = Command::new(&self.ringfort);
        command.env("RINGFORT_IDENTITY_FILE", self.directory.join("identity.txt"));
        command.args(["lab", "run", LAB, "--"]).arg(&self.ringfort).arg("up");
        command.arg("-f").arg(spec).arg("--bundle").arg(bundle);
        if output == Output::Events {
            command.arg("--json");
        }
        process::exit_code(&mut command)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.directory.join(".ringfort").join(LAB).join("admin.conf")
    }

    fn conclude(&self, bundle: &Path, output: Output) -> Result<()> {
        let kubeconfig = self.kubeconfig();
        if !kubeconfig.is_file() {
            let missing = format!("there is no kubeconfig at {}", kubeconfig.display());
            return Err(Failure::findings(missing));
        }
        let kubectl = sample::write_kubectl(
            &self.directory.join("kubectl"),
            &[&self.ringfort, Path::new("lab"), Path::new("run"), Path::new(LAB), Path::new("--")],
            &bundle.join("files/kubectl"),
            &kubeconfig,
        )?;
        let root = self.workspace.root();
        let shown = sample::farewell(root, &kubeconfig, &kubectl, &self.ringfort, LAB);
        match output {
            Output::Table => println!("{shown}"),
            Output::Events => eprintln!("{shown}"),
        }
        Ok(())
    }

    fn down(&self, caches: Caches) -> Result<()> {
        if caches == Caches::Remove {
            no_others(&[Path::new(RUNNING), &workspace::labs()])?;
        }
        if !self.ringfort.is_file() {
            self.build()?;
        }
        process::run(Command::new(&self.ringfort).args(["lab", "down", LAB]))?;
        let installed = fs::read_to_string(self.directory.join(INSTALLED)).unwrap_or_default();
        remove(&self.directory)?;
        // Other clusters may have their state beside the demo's; then the directory stays.
        let _ = fs::remove_dir(self.workspace.root().join(".ringfort"));
        let cache = workspace::cache();
        match caches {
            Caches::Remove => remove(&cache)?,
            Caches::Keep if cache.is_dir() => eprintln!(
                "kept for the next time: {} (remove it too with --down --purge)",
                cache.display()
            ),
            Caches::Keep => {}
        }
        let names: Vec<_> = installed.lines().collect();
        if !names.is_empty() {
            let names = names.join(" ");
            eprintln!(
                "system packages that the demo installed stay; to remove: apt-get remove {names}"
            );
        }
        eprintln!("the demo is down");
        Ok(())
    }
}

/// Says whether a specification is absent, or as the demo wrote it.
fn is_unchanged(path: &Path, written: &Path) -> bool {
    match (fs::read(path), fs::read(written)) {
        (Err(error), _) => error.kind() == std::io::ErrorKind::NotFound,
        (Ok(text), Ok(written)) => text == written,
        (Ok(_), Err(_)) => false,
    }
}

/// Sees that no other lab rests on the base systems of the cache.
fn no_others(places: &[&Path]) -> Result<()> {
    let mut others = BTreeSet::new();
    for place in places {
        let entries = match fs::read_dir(place) {
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|source| Failure::at("read", place, &source))?,
        };
        for entry in entries {
            let entry = entry.map_err(|source| Failure::at("read", place, &source))?;
            if entry.path().is_dir() {
                others.insert(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    others.retain(|name| name != LAB && !name.starts_with('.'));
    if others.is_empty() {
        return Ok(());
    }
    let others = others.into_iter().collect::<Vec<_>>().join(" ");
    Err(Failure::stuck(format!(
        "other labs rest on the base systems in the cache, and nothing was taken down: ringfort lab down {others}, or \
         leave out --purge"
    )))
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::at("remove", directory, &source))
        }
        _ => Ok(()),
    }
}

/// Runs one step and tells how long it took.
fn timed<T>(name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    eprintln!("==> {name}");
    let result = step()?;
    eprintln!("<== {name}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of this test's own, which goes with it.
    struct Room(PathBuf);

    impl Room {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Room {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_somebody_changed_is_not_written_again() {
        let room = Room::new("spec");
        let (path, written) = (room.0.join("cluster.yaml"), room.0.join(WRITTEN));
        assert!(is_unchanged(&path, &written));
        fs::write(&path, "name: a").unwrap();
        assert!(!is_unchanged(&path, &written));
        fs::write(&written, "name: a").unwrap();
        assert!(is_unchanged(&path, &written));
        fs::write(&path, "name: b").unwrap();
        assert!(!is_unchanged(&path, &written));
    }

    #[test]
    fn base_systems_of_other_labs_stay() {
        let room = Room::new("labs");
        let absent = room.0.join("absent");
        assert!(no_others(&[&absent, &room.0]).is_ok());
        fs::create_dir(room.0.join(LAB)).unwrap();
        assert!(no_others(&[&absent, &room.0]).is_ok());
        fs::create_dir(room.0.join("harbour")).unwrap();
        let said = no_others(&[&absent, &room.0]).unwrap_err().to_string();
        assert!(said.contains("ringfort lab down harbour, or leave out --purge"), "{said}");
    }
}
