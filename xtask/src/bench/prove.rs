//! `cargo xtask bench prove`: how long all proofs that disturb nobody take on a healthy cluster, how
//! often one of them fails there, how long the rehearsal takes, how fast etcd is read through, and how
//! much memory that takes.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::lab::{Asked, Ground, Lab};
use super::story::Story;
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench prove [OPTIONS]

  --kubernetes MINOR  the minor of Kubernetes
  --runs N            how often everything is proved (20)
  --keys N            how many more objects etcd holds then (20000)
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       measure this program instead of the one that would be released";

/// All proofs that disturb nobody should take no longer, in seconds.
const GOAL_S: f64 = 30.0;
/// All values of etcd should be read at least as fast, in keys a second.
const GOAL_KEYS: u64 = 50_000;
/// The program should take no more memory, in megabytes.
const GOAL_MB: u64 = 100;
/// How many of the slowest are told.
const SLOWEST: usize = 5;
/// How many clients write the objects: each is held to 50 requests a second.
const WRITERS: usize = 8;
/// How often the program's memory is looked at; the kernel keeps the most that it was.
const LOOK: Duration = Duration::from_millis(100);

/// Measures, and prints the table. Fails if a healthy cluster failed a proof.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if arguments == ["--help"] {
        println!("{USAGE}");
        return Ok(());
    }
    let wish = Wish::read(arguments)?;
    let ground = wish.asked.prepare(workspace)?;
    let (first, runs) = measure(&ground, &wish)?;
    println!("{}", table(&wish.asked.kubernetes, &first, &runs));
    let runs: Vec<Story> = runs.into_iter().map(|run| run.story).collect();
    let failed: Vec<&str> =
        runs.iter().flat_map(|run| &run.not_proved).map(String::as_str).collect();
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::findings(format!("on a healthy cluster: {}", failed.join("; ")))),
    }
}

struct Wish {
    asked: Asked,
    runs: usize,
    keys: usize,
}

/// One run, and what it took beside time.
struct Run {
    story: Story,
    memory_kb: u64,
    /// Keys of etcd that were read beside all other proofs, and in how many milliseconds, member by member.
    scans: Vec<(u64, u64)>,
    /// The same where that control alone is proved: all members are read at once.
    alone: Vec<(u64, u64)>,
}

/// The control whose proof reads all of etcd.
const SCANNED: &str = "data/encryption-at-rest";

impl Wish {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut wish = Self { asked: Asked::usual(), runs: 20, keys: 20_000 };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let value = arguments.next().copied().ok_or_else(|| Failure::usage(USAGE))?;
            match argument {
                option if wish.asked.takes(option, value) => {}
                "--runs" => {
                    let number = value.parse().ok().filter(|number| *number > 0);
                    wish.runs = number.ok_or_else(|| Failure::usage(USAGE))?;
                }
                "--keys" => wish.keys = value.parse().map_err(|_| Failure::usage(USAGE))?,
                _ => return Err(Failure::usage(format!("{argument} is unknown\n{USAGE}"))),
            }
        }
        Ok(wish)
    }
}

/// Makes a cluster, and proves it again and again.
fn measure(ground: &Ground, wish: &Wish) -> Result<(Story, Vec<Run>)> {
    let lab = Lab::boot(ground)?;
    let (_, first) = lab.converge("up")?;
    if !first.handed_over {
        return Err(Failure::findings(format!("not proved: {}", first.not_proved.join("; "))));
    }
    fill(&lab, wish.keys)?;
    let mut runs = Vec::new();
    for number in 1..=wish.runs {
        let (proved, memory_kb) = watched(&ground.ringfort, "prove", || lab.converge("prove"));
        let (_, story) = proved?;
        let evidence = lab.state().join("evidence.json");
        let scanned = scans(&evidence)?;
        lab.converge_with("prove", &["--control", SCANNED])?;
        let run = Run { story, memory_kb, scans: scanned, alone: scans(&evidence)? };
        eprintln!(
            "run {number} of {}: {:.1} s, {} MB, keys and milliseconds {:?}, alone {:?}",
            wish.runs,
            proving(&run.story),
            run.memory_kb / 1024,
            run.scans,
            run.alone,
        );
        runs.push(run);
    }
    Ok((first, runs))
}

/// Writes objects that etcd holds then, several clients side by side.
fn fill(lab: &Lab<'_>, keys: usize) -> Result<()> {
    if keys == 0 {
        return Ok(());
    }
    lab.kubectl(&["create", "namespace", "filled"])?;
    let each = keys.div_ceil(WRITERS);
    let files = (0..WRITERS).map(|writer| {
        let object = |number: usize| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": format!("one-of-many-{writer}-{number}"), "namespace": "filled"},
                "data": {"text": "a".repeat(512)},
            })
        };
        let items: Vec<Value> = (0..each).map(object).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        let path = lab.ground.directory.join(format!("filled-{writer}.json"));
        fs::write(&path, list.to_string()).map_err(|source| Failure::at("write", &path, &source))?;
        Ok(path)
    });
    let files: Vec<_> = files.collect::<Result<_>>()?;
    eprintln!("writing {} objects", each * WRITERS);
    thread::scope(|scope| {
        let create = |path: &Path| {
            let path = path.to_string_lossy();
            lab.kubectl(&["create", "--validate=false", "-f", &path]).map(drop)
        };
        let writers: Vec<_> = files.iter().map(|path| scope.spawn(move || create(path))).collect();
        let ended = |writer: thread::ScopedJoinHandle<'_, Result<()>>| {
            writer.join().unwrap_or_else(|_| Err(Failure::stuck("a writer ended badly")))
        };
        writers.into_iter().map(ended).collect::<Result<Vec<()>>>().map(drop)
    })
}

/// Does something, and gives the most memory in kilobytes that a process of a program with a word among
/// its arguments took meanwhile.
fn watched<T>(program: &Path, word: &str, work: impl FnOnce() -> T) -> (T, u64) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(memory_kb(program, word));
                thread::sleep(LOOK);
            }
            most
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        (done, watcher.join().unwrap_or_default())
    })
}

fn memory_kb(program: &Path, word: &str) -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.next() == Some(program.as_os_str().as_encoded_bytes())
            && words.next() == Some(word.as_bytes())
    });
    let most = own.filter_map(|process| {
        let status = fs::read_to_string(process.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    });
    most.max().unwrap_or_default()
}

/// Finds in the evidence how many keys of each member were read, and in how many milliseconds.
fn scans(evidence: &Path) -> Result<Vec<(u64, u64)>> {
    let read = fs::read(evidence).map_err(|source| Failure::at("read", evidence, &source))?;
    let evidence: Value = serde_json::from_slice(&read)
        .map_err(|error| Failure::stuck(format!("{}: {error}", evidence.display())))?;
    let acts = evidence["controls"][SCANNED]["transcript"].as_array();
    let scanned = acts.into_iter().flatten().map(|act| &act[1]["scanned"]);
    let sum = |counts: &Value| -> u64 {
        counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
    };
    let one = |it: &Value| Some((sum(&it["sealed"]) + sum(&it["open"]), it["ms"].as_u64()?));
    Ok(scanned.filter_map(one).collect())
}

/// Keys a second, where members are read at once.
fn together(scans: &[(u64, u64)]) -> u64 {
    let longest = scans.iter().map(|(_, ms)| *ms).max().unwrap_or_default();
    scans.iter().map(|(keys, _)| keys).sum::<u64>() * 1000 / longest.max(1)
}

/// From the first proof's beginning to the last one's end.
fn proving(story: &Story) -> f64 {
    let proofs = story.stages.iter().filter(|stage| stage.what.starts_with("proof of "));
    proofs.map(|stage| stage.seconds).sum()
}

fn table(kubernetes: &str, first: &Story, all: &[Run]) -> String {
    let runs: Vec<&Story> = all.iter().map(|run| &run.story).collect();
    let mut took: Vec<f64> = runs.iter().map(|run| proving(run)).collect();
    let memory_mb = all.iter().map(|run| run.memory_kb).max().unwrap_or_default() / 1024;
    let scans = || all.iter().flat_map(|run| &run.scans);
    let mut rates: Vec<u64> = scans().map(|(keys, ms)| keys * 1000 / (*ms).max(1)).collect();
    rates.sort_unstable();
    let mut alone: Vec<u64> = all.iter().map(|run| together(&run.alone)).collect();
    alone.sort_unstable();
    took.sort_by(f64::total_cmp);
    let (least, most) = (took.first().copied(), took.last().copied());
    let rehearsal = first.stages.iter().find(|stage| stage.what.contains("survives-control-plane"));
    let mut slowest = runs.last().map(|run| run.stages.clone()).unwrap_or_default();
    slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    let slowest = slowest.iter().filter(|stage| stage.what.starts_with("proof of "));
    let slowest: Vec<String> = slowest
        .take(SLOWEST)
        .map(|stage| {
            format!("{} {:.1} s", stage.what.trim_start_matches("proof of "), stage.seconds)
        })
        .collect();
    let not_proved: usize = runs.iter().map(|run| run.not_proved.len()).sum();
    format!(
        "proofs of Kubernetes {kubernetes} on three control planes and three workers, {} runs\n\n\
         | what | measured | goal |\n|---|---|---|\n\
         | proofs that disturb nobody | {:.1} s ({:.1} to {:.1}) | {GOAL_S:.0} s |\n\
         | rehearsal of every control plane, in `up` | {:.1} s | 60 s |\n\
         | keys of three members of etcd read and their seals checked a second, nothing else proved | {} ({} to {}) | {GOAL_KEYS} |\n\
         | the same of one member beside all other proofs, of {} keys | {} ({} to {}) | |\n\
         | memory of `ringfort prove` | {memory_mb} MB | {GOAL_MB} MB |\n\
         | controls proved in a run | {} | |\n\
         | proofs that failed on the healthy cluster | {not_proved} | 0 |\n\n\
         The last run waited the longest for: {}",
        runs.len(),
        took.get(took.len() / 2).copied().unwrap_or_default(),
        least.unwrap_or_default(),
        most.unwrap_or_default(),
        rehearsal.map_or(0.0, |stage| stage.seconds),
        alone.get(alone.len() / 2).copied().unwrap_or_default(),
        alone.first().copied().unwrap_or_default(),
        alone.last().copied().unwrap_or_default(),
        scans().map(|(keys, _)| *keys).max().unwrap_or_default(),
        rates.get(rates.len() / 2).copied().unwrap_or_default(),
        rates.first().copied().unwrap_or_default(),
        rates.last().copied().unwrap_or_default(),
        runs.last().map_or(0, |run| run.proved),
        slowest.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::{Story, proving};

    #[test]
    fn only_proofs_count() {
        let events = concat!(
            r#"{"event":"stage","name":"entering the machines","seconds":0.5}"#,
            "\n",
            r#"{"event":"stage","name":"proofs","seconds":2.0}"#,
            "\n",
            r#"{"event":"proof","control":"a/b","verdict":"proved","detail":"","seconds":5.0}"#,
            "\n",
            r#"{"event":"proof","control":"a/c","verdict":"failed","detail":"no","seconds":9.0}"#,
            "\n",
            r#"{"event":"finished","seconds":10.0,"changes":0,"proved":1,"kubeconfig":null,"error":null}"#,
        );
        let story = Story::read(events).unwrap();
        assert!((proving(&story) - 7.0).abs() < 1e-9);
        assert_eq!(story.not_proved, ["a/c failed: no"]);
    }
}
