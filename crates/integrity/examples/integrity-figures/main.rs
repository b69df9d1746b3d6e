//! Measures what verifying a warm tree costs on one core, what a baseline takes, and how an agent goes. Writes one
//! object.
//!
//! With `tree DIR` it writes the tree of small files there and measures the processor's time for one look at it, to
//! be held beside another program on the same tree.

mod agent;

use std::fs;
use std::path::Path;
use std::time::Instant;

use ringfort_integrity::baseline::Entries;
use ringfort_integrity::os::{Pace, scan};
use ringfort_integrity::path::FilePath;
use ringfort_integrity::protected::{Class, Expected, Hash, Presence, Protected};
use ringfort_model::severity::Severity;

const SMALL_FILES: usize = 40_000;
const SMALL_BYTES: usize = 4 << 10;
const LARGE_FILES: usize = 32;
const LARGE_BYTES: usize = 64 << 20;
const MANY: usize = 1_000_000;
const ROUNDS: usize = 5;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let found = match words[..] {
        [] => all()?,
        ["tree", directory] => beside(Path::new(directory))?,
        ["agent", directory] => return agent::run(Path::new(directory)),
        _ => return Err("it takes no arguments, or `tree DIR`".into()),
    };
    println!("{found}");
    Ok(())
}

fn all() -> Outcome<serde_json::Value> {
    let directory = tempfile::tempdir()?;
    let small = tree(directory.path(), "small", SMALL_FILES, SMALL_BYTES)?;
    let files_per_second = SMALL_FILES as f64 / best(directory.path(), &small)?;
    let agent = agent::measured(directory.path(), &small)?;
    let large = tree(directory.path(), "large", LARGE_FILES, LARGE_BYTES)?;
    let bytes_per_second = (LARGE_FILES * LARGE_BYTES) as f64 / best(directory.path(), &large)?;
    let many = Entries::pack((0..MANY).map(|number| entry("usr", number, 4096, [7; 32])));
    Ok(serde_json::json!({
        "small_files": SMALL_FILES, "small_bytes": SMALL_BYTES,
        "files_per_second": files_per_second,
        "bytes_per_second": bytes_per_second,
        "entries": many.len(),
        "bytes_per_entry": many.memory_bytes() as f64 / many.len() as f64,
        "agent": agent,
    }))
}

fn beside(directory: &Path) -> Outcome<serde_json::Value> {
    let small = tree(directory, "small", SMALL_FILES, SMALL_BYTES)?;
    best(directory, &small)?;
    let before = agent::cpu_seconds("self")?;
    best(directory, &small)?;
    let cpu_seconds = (agent::cpu_seconds("self")? - before) / ROUNDS as f64;
    Ok(serde_json::json!({ "files": SMALL_FILES, "cpu_seconds": cpu_seconds }))
}

/// Seconds of the fastest of some rounds; the first one warms the tree.
fn best(root: &Path, entries: &Entries) -> Outcome<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let found = scan(root, entries, Pace::free())?;
        best = best.min(began.elapsed().as_secs_f64());
        if !found.findings.is_empty() || !found.unknown.is_empty() {
            return Err(format!("the tree is not as it was written: {found:?}").into());
        }
    }
    Ok(best)
}

fn tree(root: &Path, name: &str, count: usize, bytes: usize) -> Outcome<Entries> {
    let mut content = vec![0; bytes];
    let mut entries = Vec::new();
    for number in 0..count {
        content[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let entry = entry(name, number, bytes, *blake3::hash(&content).as_bytes());
        let file = root.join(&entry.path.to_string()[1..]);
        fs::create_dir_all(file.parent().ok_or("a file lies in a directory")?)?;
        fs::write(file, &content)?;
        entries.push(entry);
    }
    Ok(Entries::pack(entries))
}

/// An entry with a path as long as those below `/usr` are in the mean.
fn entry(name: &str, number: usize, bytes: usize, digest: [u8; 32]) -> Protected {
    let path =
        format!("/{name}/lib/x86_64-linux-gnu/package-{:05}/module-{number:07}.so", number / 100);
    let hash = Hash::Blake3(digest);
    Protected {
        path: FilePath::new(path).expect("it is written as one"),
        class: Class::Exact,
        presence: Presence::Required,
        severity: Severity::High,
        mode: None,
        owner: None,
        expected: Some(Expected { size: Some(bytes as u64), hash }),
    }
}
