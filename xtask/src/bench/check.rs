//! `cargo xtask bench check`: what judging many manifests costs, anew and again, beside other programs.

mod manifests;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::figures;
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench check

Measures in the release profile, over 1,000, 10,000 and 100,000 made-up manifests of 2 kB in a directory of its
own. kube-score and checkov are measured beside it where they are on the PATH, over 1,000.";

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// What was promised for 10,000 manifests.
const PROMISED: usize = 10_000;
const ANEW_MS: f64 = 1000.0;
const AGAIN_MS: f64 = 250.0;
const MEMORY_MB: f64 = 200.0;
/// Ten times as many may take this many times as long, and still count as linear.
const LINEAR: f64 = 13.0;
/// Each figure is the median of so many runs.
const RUNS: usize = 5;
/// Others take minutes for more.
const PEERS: usize = 1_000;

/// Measures, and prints the table. Fails if a promise was missed.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if !figures::is_asked(arguments, USAGE)? {
        return Ok(());
    }
    process::run(&mut workspace.cargo(&[
        "build",
        "--release",
        "--quiet",
        "--locked",
        "--package",
        "ringfort",
    ]))?;
    let program = workspace.built("release")?.join("ringfort");
    let room = workspace.target()?.join("bench-check");
    let mut figures = Vec::new();
    for size in SIZES {
        let tree = write(&room, size)?;
        figures.push(measure(&program, &room, &tree, size)?);
        println!("{}", figures[figures.len() - 1].line());
    }
    peers(&room.join(PEERS.to_string()))?;
    fs::remove_dir_all(&room).map_err(|source| Failure::at("remove", &room, &source))?;
    match missed(&figures).as_slice() {
        [] => Ok(()),
        missed => Err(Failure::findings(format!("missed: {}", missed.join("; ")))),
    }
}

/// Writes a tree of manifests, a hundred to a directory.
fn write(room: &Path, size: usize) -> Result<PathBuf> {
    let tree = room.join(size.to_string());
    for number in 0..size {
        let directory = tree.join((number / 100).to_string());
        if number % 100 == 0 {
            fs::create_dir_all(&directory)
                .map_err(|source| Failure::at("make", &directory, &source))?;
        }
        let file = directory.join(format!("{number}.yaml"));
        fs::write(&file, manifests::manifest(number))
            .map_err(|source| Failure::at("write", &file, &source))?;
    }
    Ok(tree)
}

/// What was measured of one size.
struct Figures {
    size: usize,
    anew_ms: f64,
    again_ms: f64,
    memory_mb: f64,
}

impl Figures {
    fn line(&self) -> String {
        format!(
            "{:>7} manifests: anew {:7.1} ms, again {:6.1} ms, {:6.1} MB",
            self.size, self.anew_ms, self.again_ms, self.memory_mb
        )
    }
}

fn measure(program: &Path, room: &Path, tree: &Path, size: usize) -> Result<Figures> {
    let command = |rest: &[&str]| {
        let mut command = Command::new(program);
        command.arg("check").arg(tree).args(["--format", "json"]).args(rest);
        command.env("XDG_CACHE_HOME", room.join("cache"));
        command
    };
    let mut anew = Vec::new();
    let mut memory_mb = 0.0f64;
    for _ in 0..RUNS {
        let run = watch(&mut command(&["--no-cache"]))?;
        anew.push(run.0);
        memory_mb = memory_mb.max(run.1);
    }
    // The first of these fills the cache.
    watch(&mut command(&[]))?;
    let again = (0..RUNS).map(|_| Ok(watch(&mut command(&[]))?.0)).collect::<Result<Vec<_>>>()?;
    Ok(Figures { size, anew_ms: median(anew), again_ms: median(again), memory_mb })
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::MAX)
}

/// Runs a program to its end; gives milliseconds, and the most megabytes it was seen to hold.
fn watch(command: &mut Command) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let failed = |source| Failure::stuck(format!("a program could not be run: {source}"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most_kb = 0;
    while child.try_wait().map_err(failed)?.is_none() {
        // The kernel keeps the highest itself, so that the last look before the end is enough.
        most_kb =
            most_kb.max(fs::read_to_string(&status).ok().and_then(|it| peak_kb(&it)).unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    Ok((begun.elapsed().as_secs_f64() * 1000.0, most_kb as f64 / 1000.0))
}

/// Reads the highest use of memory from what the kernel says of a process.
fn peak_kb(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Measures others, where they are.
fn peers(tree: &Path) -> Result<()> {
    let tree_text = tree.display().to_string();
    let find = format!(
        "find {tree_text} -name '*.yaml' -print0 | xargs -0 kube-score score --output-format ci"
    );
    for (name, command) in [
        ("kube-score", vec!["sh", "-c", find.as_str()]),
        (
            "checkov",
            vec!["checkov", "--quiet", "--framework", "kubernetes", "-d", tree_text.as_str()],
        ),
    ] {
        if !is_there(name) {
            println!("{name}: not on the PATH");
            continue;
        }
        let (ms, _) = watch(Command::new(command[0]).args(&command[1..]))?;
        println!("{name}: {PEERS} manifests in {ms:.0} ms");
    }
    Ok(())
}

fn is_there(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Gives what is worse than promised.
fn missed(figures: &[Figures]) -> Vec<String> {
    let mut missed = Vec::new();
    for it in figures.iter().filter(|it| it.size == PROMISED) {
        for (what, found, limit) in [
            ("anew, ms", it.anew_ms, ANEW_MS),
            ("again, ms", it.again_ms, AGAIN_MS),
            ("memory, MB", it.memory_mb, MEMORY_MB),
        ] {
            if found > limit {
                missed.push(format!("{what}: {found:.1}, limit {limit}"));
            }
        }
    }
    for pair in figures.windows(2) {
        let grown = pair[1].anew_ms / pair[0].anew_ms;
        if grown > LINEAR {
            missed.push(format!(
                "{} take {grown:.1} times as long as {}",
                pair[1].size, pair[0].size
            ));
        }
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::{Figures, median, missed, peak_kb};

    fn figures(size: usize, anew_ms: f64, again_ms: f64, memory_mb: f64) -> Figures {
        Figures { size, anew_ms, again_ms, memory_mb }
    }

    #[test]
    fn a_promise_is_missed_by_time_memory_and_growth() {
        let good = || [figures(1_000, 90.0, 30.0, 30.0), figures(10_000, 900.0, 200.0, 150.0)];
        assert_eq!(missed(&good()), Vec::<String>::new());
        for (worse, word) in [
            (figures(10_000, 1001.0, 200.0, 150.0), "anew"),
            (figures(10_000, 900.0, 251.0, 150.0), "again"),
            (figures(10_000, 900.0, 200.0, 201.0), "memory"),
        ] {
            let [first, _] = good();
            let found = missed(&[first, worse]);
            assert!(found.len() == 1 && found[0].starts_with(word), "{found:?}");
        }
        let steep = missed(&[figures(1_000, 60.0, 1.0, 1.0), figures(10_000, 900.0, 1.0, 1.0)]);
        assert!(steep.len() == 1 && steep[0].contains("15.0 times"), "{steep:?}");
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn the_peak_is_read_from_the_kernel() {
        assert_eq!(peak_kb("Name:\tx\nVmHWM:\t  1234 kB\nVmRSS:\t 1 kB\n"), Some(1234));
        assert_eq!(peak_kb("Name:\tx\n"), None);
    }
}
