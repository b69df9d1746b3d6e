//! `cargo xtask dist`: the release. One static binary and what belongs to it, the same bytes from the
//! same commit wherever it is made.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;
use crate::{process, sbom};

const USAGE: &str = "usage: cargo xtask dist [--out DIR] [--key SSH_KEY_FILE] [--twice]";

/// Makes the release and prints its files.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let wish = Wish::read(workspace, arguments)?;
    fs::create_dir_all(&wish.out).map_err(|source| Failure::at("make", &wish.out, &source))?;
    let target = wish.out.join("target");
    let built = build(workspace, &target)?;
    check_static(&built)?;
    if wish.twice {
        compare(&built, &build(workspace, &wish.out.join("target-again"))?)?;
    }
    let mut files = vec![wish.keep("ringfort-x86_64-linux", &read(&built)?)?];
    let graph = workspace.graph(&["--package=ringfort", "--edges=normal"])?;
    let lock = fs::read_to_string(workspace.root().join("Cargo.lock"))
        .map_err(|source| Failure::at("read", Path::new("Cargo.lock"), &source))?;
    let version = version(workspace)?;
    let bill = sbom::document(&version, &graph, &lock);
    files.push(wish.keep("ringfort.cdx.json", bill.as_bytes())?);
    files.extend(derived(&built, &wish)?);
    let sums = checksums(&wish.out, &files)?;
    if let Some(key) = &wish.key {
        sign(&wish.out.join(&sums), key)?;
    } else {
        eprintln!("not signed: no --key was given");
    }
    for file in files.iter().chain([&sums]) {
        println!("{}", wish.out.join(file).display());
    }
    Ok(())
}

struct Wish {
    out: PathBuf,
    key: Option<PathBuf>,
    twice: bool,
}

impl Wish {
    fn read(workspace: &Workspace, arguments: &[&str]) -> Result<Self> {
        let mut wish = Self { out: workspace.target()?.join("dist"), key: None, twice: false };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let mut value = || arguments.next().copied().ok_or_else(|| Failure::usage(USAGE));
            match argument {
                "--out" => wish.out = env::current_dir().unwrap_or_default().join(value()?),
                "--key" => wish.key = Some(PathBuf::from(value()?)),
                "--twice" => wish.twice = true,
                _ => return Err(Failure::usage(USAGE)),
            }
        }
        Ok(wish)
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<String> {
        let path = self.out.join(name);
        fs::write(&path, bytes).map_err(|source| Failure::at("write", &path, &source))?;
        Ok(name.to_owned())
    }
}

/// Compiles the command with nothing of this machine in it, and returns where it is.
fn build(workspace: &Workspace, target: &Path) -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo"));
    let places = [(target, "/target"), (workspace.root(), "/ringfort"), (&home, "/cargo")];
    let mut flags = vec!["-C".to_owned(), "target-feature=+crt-static".to_owned()];
    let mut c_flags = Vec::new();
    // The last that fits wins, so the outermost place comes first.
    for (from, to) in places.iter().rev() {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        c_flags.push(format!("-ffile-prefix-map={}={to}", from.display()));
    }
    let mut command = workspace.cargo(&["build", "--release", "--locked", "--package=ringfort"]);
    command
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CFLAGS", c_flags.join(" "))
        .env("SOURCE_DATE_EPOCH", "0")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TARGET_DIR", target)
        .stdout(std::io::stderr());
    process::run(&mut command)?;
    Ok(target.join("x86_64-unknown-linux-gnu/release/ringfort"))
}

fn version(workspace: &Workspace) -> Result<String> {
    let metadata = workspace.metadata()?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let package = packages.iter().find(|package| package["name"] == "ringfort");
    let version = package.and_then(|package| package["version"].as_str());
    version.map(str::to_owned).ok_or_else(|| Failure::stuck("there is no package ringfort here"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Failure::at("read", path, &source))
}

/// Refuses a binary that asks for a dynamic loader.
fn check_static(binary: &Path) -> Result<()> {
    match asks_for_loader(&read(binary)?) {
        Some(false) => Ok(()),
        Some(true) => {
            Err(Failure::findings("the binary is dynamic: .cargo/config.toml was not used"))
        }
        None => Err(Failure::findings(format!("{} is no ELF program", binary.display()))),
    }
}

/// Whether a 64-bit little-endian ELF program names an interpreter; nothing if it is no such program.
fn asks_for_loader(program: &[u8]) -> Option<bool> {
    let number = |at: usize, length: usize| {
        let bytes = program.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    if program.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
    let interpreter = 3;
    for index in 0..count {
        if number(table + index * size, 4)? == interpreter {
            return Some(true);
        }
    }
    Some(false)
}

fn compare(one: &Path, other: &Path) -> Result<()> {
    if read(one)? == read(other)? {
        eprintln!("two builds gave the same bytes");
        return Ok(());
    }
    let (one, other) = (one.display(), other.display());
    Err(Failure::findings(format!("two builds differ: compare {one} and {other}")))
}

/// Completions and man pages, written by the command itself from its own arguments.
fn derived(binary: &Path, wish: &Wish) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for (shell, name) in
        [("bash", "ringfort.bash"), ("zsh", "_ringfort"), ("fish", "ringfort.fish")]
    {
        let text = process::capture(Command::new(binary).args(["completions", shell]))?;
        files.push(wish.keep(name, text.as_bytes())?);
    }
    let pages = wish.out.join("man");
    fs::create_dir_all(&pages).map_err(|source| Failure::at("make", &pages, &source))?;
    process::run(Command::new(binary).arg("man").arg(&pages).stdout(std::io::stderr()))?;
    let listed = fs::read_dir(&pages).map_err(|source| Failure::at("read", &pages, &source))?;
    let mut names: Vec<_> = listed
        .filter_map(|entry| Some(format!("man/{}", entry.ok()?.file_name().to_str()?)))
        .collect();
    names.sort();
    files.extend(names);
    Ok(files)
}

fn checksums(out: &Path, files: &[String]) -> Result<String> {
    let name = "SHA256SUMS".to_owned();
    let sums = process::capture(Command::new("sha256sum").args(files).current_dir(out))?;
    let path = out.join(&name);
    fs::write(&path, sums).map_err(|source| Failure::at("write", &path, &source))?;
    Ok(name)
}

/// Signs the checksums with an SSH key, which its owner may keep on a token or in an agent.
fn sign(sums: &Path, key: &Path) -> Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", "ringfort", "-f"]).arg(key).arg(sums);
    let signature = sums.with_extension("sig");
    // An old signature would make ssh-keygen ask what to do.
    let _ = fs::remove_file(&signature);
    process::run(&mut command)?;
    eprintln!(
        "to verify: ssh-keygen -Y verify -f ALLOWED_SIGNERS -I RELEASER -n ringfort -s {} < {}",
        signature.display(),
        sums.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF program with program headers of the given types.
    fn program(types: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 0x40];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[0x20] = 0x40;
        bytes[0x36] = 56;
        bytes[0x38] = u8::try_from(types.len()).unwrap();
        for kind in types {
            bytes.extend([&[*kind][..], &[0; 55]].concat());
        }
        bytes
    }

    fn check(program: &[u8], expected: Option<bool>) {
        assert_eq!(asks_for_loader(program), expected);
    }

    #[test]
    fn a_dynamic_program_is_told_from_a_static_one() {
        check(&program(&[1, 1, 7]), Some(false));
        check(&program(&[6, 3, 1]), Some(true));
        check(b"#!/bin/sh\n", None);
        check(&program(&[1])[..0x50], Some(false));
        check(&program(&[1])[..0x41], None);
    }
}
