//! `cargo xtask dist`: the release. One static binary and what belongs to it, the same bytes from the
//! same commit wherever it is made.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;
use crate::{process, sbom};

const USAGE: &str = "usage: cargo xtask dist [--out DIR] [--key MINISIGN_KEY_FILE] [--check]";
/// Names the file of the key that signs, for runs without a command line of their own.
const KEY_VARIABLE: &str = "RINGFORT_RELEASE_KEY";
/// What the bill of materials is called.
const BILL: &str = "ringfort.cdx.json";
/// The binary is carried to every machine of a cluster: it must stay small.
const LARGEST_BYTES: u64 = 25_000_000;

/// Makes the release and prints its files.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let wish = Wish::read(workspace, arguments)?;
    if let Some(key) = &wish.key {
        check_signing(key)?;
    }
    make(&wish.out)?;
    let built = build(workspace)?;
    check_static(&built)?;
    check_size(&built)?;
    if wish.check {
        let again = wish.out.join("again");
        compare(&built, &build_elsewhere(workspace, &again)?)?;
        remove(&again)?;
    }
    let mut files = vec![wish.keep("ringfort-x86_64-linux", &read(&built)?)?];
    let binary = wish.out.join(&files[0]);
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))
        .map_err(|source| Failure::at("make executable", &binary, &source))?;
    files.extend(papers(workspace, &built, &wish)?);
    files.push(checksums(&wish.out, &files)?);
    match &wish.key {
        Some(key) => files.push(sign(&wish.out, key, &version(workspace)?)?),
        None => eprintln!(
            "not signed: neither --key nor {KEY_VARIABLE} names a key; minisign -G makes one"
        ),
    }
    for file in &files {
        println!("{}", wish.out.join(file).display());
    }
    Ok(())
}

/// Makes what a release carries beside its binary, by the command as it was built for tests, and looks
/// at it.
pub(crate) fn rehearse(workspace: &Workspace) -> Result<()> {
    let wish = Wish { out: workspace.target()?.join("dist-rehearsal"), key: None, check: false };
    remove(&wish.out)?;
    make(&wish.out)?;
    let files = papers(workspace, &workspace.built("debug")?.join("ringfort"), &wish)?;
    checksums(&wish.out, &files)?;
    let mut flaws = Vec::new();
    for file in &files {
        if read(&wish.out.join(file))?.is_empty() {
            flaws.push(format!("{file} is empty"));
        }
    }
    if !files.iter().any(|file| file == "man/ringfort-up.1") {
        flaws.push("there is no man page of `ringfort up`".to_owned());
    }
    let bill = read(&wish.out.join(BILL))?;
    flaws.extend(sbom::flaws(&String::from_utf8_lossy(&bill), &workspace.packages()?));
    remove(&wish.out)?;
    if flaws.is_empty() { Ok(()) } else { Err(Failure::findings(flaws.join("\n"))) }
}

fn make(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|source| Failure::at("make", directory, &source))
}

/// The bill of materials, completions and man pages.
fn papers(workspace: &Workspace, binary: &Path, wish: &Wish) -> Result<Vec<String>> {
    let graph = workspace.graph(&["--package=ringfort", "--edges=normal"])?;
    let lock = fs::read_to_string(workspace.root().join("Cargo.lock"))
        .map_err(|source| Failure::at("read", Path::new("Cargo.lock"), &source))?;
    let bill = sbom::document(&version(workspace)?, &graph, &lock);
    let mut files = vec![wish.keep(BILL, bill.as_bytes())?];
    files.extend(derived(binary, wish)?);
    Ok(files)
}

struct Wish {
    out: PathBuf,
    key: Option<PathBuf>,
    check: bool,
}

impl Wish {
    fn read(workspace: &Workspace, arguments: &[&str]) -> Result<Self> {
        let key = env::var_os(KEY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let mut wish = Self { out: workspace.target()?.join("dist"), key, check: false };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let mut value = || arguments.next().copied().ok_or_else(|| Failure::usage(USAGE));
            match argument {
                "--out" => wish.out = env::current_dir().unwrap_or_default().join(value()?),
                "--key" => wish.key = Some(PathBuf::from(value()?)),
                "--check" => wish.check = true,
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

/// Compiles the command as it is released, and returns where it is.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    compile(workspace, &workspace.target()?.join("dist/target"))
}

/// Compiles it a second time, with nothing of the first at hand: from a copy of the sources in
/// another directory, into another one.
fn build_elsewhere(workspace: &Workspace, directory: &Path) -> Result<PathBuf> {
    remove(directory)?;
    let sources = directory.join("sources-of-another-place");
    for file in workspace.files()? {
        let (from, to) = (workspace.root().join(&file), sources.join(&file));
        to.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::copy(&from, &to))
            .map_err(|source| Failure::at("copy", &from, &source))?;
    }
    compile(&Workspace::at(&sources), &directory.join("target"))
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::at("remove", directory, &source))
        }
        _ => Ok(()),
    }
}

/// Compiles the command with nothing of this machine in it.
fn compile(workspace: &Workspace, target: &Path) -> Result<PathBuf> {
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

fn check_size(binary: &Path) -> Result<()> {
    let size = fs::metadata(binary).map_err(|source| Failure::at("read", binary, &source))?.len();
    eprintln!("the binary has {size} bytes");
    if size <= LARGEST_BYTES {
        return Ok(());
    }
    Err(Failure::findings(format!("{size} bytes are more than {LARGEST_BYTES}")))
}

fn compare(one: &Path, other: &Path) -> Result<()> {
    if read(one)? == read(other)? {
        eprintln!("two builds in two places gave the same bytes");
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
    make(&pages)?;
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

/// Sees before the long work that it can be signed.
fn check_signing(key: &Path) -> Result<()> {
    fs::metadata(key).map_err(|source| Failure::at("read the key", key, &source))?;
    match Command::new("minisign").arg("-v").output() {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Err(Failure::stuck(
            "minisign signs releases and is not on PATH: apt-get install minisign, or leave out \
             --key for a release that is not signed",
        )),
        _ => Ok(()),
    }
}

/// Signs the checksums by minisign, which those who have its public key verify with. The signature
/// is the same each time: no clock is in it.
fn sign(out: &Path, key: &Path, version: &str) -> Result<String> {
    let sums = out.join("SHA256SUMS");
    let mut command = Command::new("minisign");
    command.args(["-S", "-t", &format!("ringfort {version}"), "-s"]).arg(key).arg("-m").arg(&sums);
    process::run(command.stdout(std::io::stderr()))?;
    eprintln!("to verify: minisign -V -p PUBLIC_KEY_FILE -m {}", sums.display());
    Ok("SHA256SUMS.minisig".to_owned())
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
