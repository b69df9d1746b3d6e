//! How an agent of a tree goes, in a process of its own: from a change to what is told of it, the processor's time
//! and the memory that it takes when nothing happens.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ringfort_integrity::baseline::{Entries, Header, write};
use ringfort_integrity::os::{Hooks, Settings, watch};
use ringfort_pki::Ed25519Key;
use serde_json::{Value, json};

use super::Outcome;

/// So many changes are made, one after the other.
const CHANGES: usize = 200;
/// So long it is seen what an agent takes when nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// The kernel counts processors' time in these for programs.
const TICKS_PER_SECOND: f64 = 100.0;
const LONGEST: Duration = Duration::from_secs(60);

/// Measures the agent of a tree; nothing where this is not root.
pub fn measured(root: &Path, entries: &Entries) -> Outcome<Value> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Value::Null);
    }
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    let key = Ed25519Key::make()?;
    let header = Header { cluster: "c".into(), node: "w1".into(), counter: 1, entries: 0 };
    fs::write(at("key"), key.public().pem())?;
    fs::write(at("baseline"), write(&header, entries, &key)?)?;
    std::os::unix::fs::symlink(root, at("root"))?;
    // It looks at what runs here as at a machine's own processes.
    std::os::unix::fs::symlink("/proc", root.join("proc"))?;
    let mut agent = Agent::begin(directory.path())?;
    agent.told("verified")?;
    let mut waits = Vec::new();
    for entry in entries.iter().step_by(entries.len() / CHANGES).take(CHANGES) {
        let path = entry.path.to_string();
        let file = root.join(&path[1..]);
        let content = fs::read(&file)?;
        let began = Instant::now();
        fs::write(&file, "wrong")?;
        agent.told(&path)?;
        waits.push(began.elapsed());
        fs::write(&file, content)?;
        agent.told(&path)?;
    }
    waits.sort();
    // What was changed is settled, and what is known is written down.
    std::thread::sleep(Duration::from_secs(2));
    let pid = agent.child.id().to_string();
    let before = cpu_seconds(&pid)?;
    std::thread::sleep(IDLE);
    let idle = (cpu_seconds(&pid)? - before) / IDLE.as_secs_f64();
    let milliseconds = |at: usize| waits[at].as_secs_f64() * 1e3;
    Ok(json!({
        "changes": waits.len(),
        "change_ms_median": milliseconds(waits.len() / 2),
        "change_ms_99": milliseconds(waits.len() * 99 / 100),
        "idle_core_percent": idle * 100.0,
        "memory_bytes": memory_bytes(&pid)?,
    }))
}

struct Agent {
    child: Child,
    lines: Receiver<String>,
}

impl Agent {
    fn begin(directory: &Path) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("agent").arg(directory).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("it has an output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// Waits for a line that holds a word.
    fn told(&mut self, word: &str) -> Outcome<()> {
        let end = Instant::now() + LONGEST;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()))?;
            if line.contains(word) {
                return Ok(());
            }
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the agent, until it is ended.
pub fn run(directory: &Path) -> Outcome<()> {
    let at = |name: &str| directory.join(name);
    let root = fs::canonicalize(at("root"))?;
    let settings = Settings {
        node: "w1".to_owned(),
        root: root.clone(),
        baseline: at("baseline"),
        key: at("key"),
        state: at("state"),
        steps: at("steps"),
        lock: at("lock"),
        store: at("store"),
        bytes_per_second: 20 << 20,
        every: Duration::from_secs(3600),
        programs: Some(vec![PathBuf::from(&root)]),
    };
    let hooks = Hooks {
        ready: &|| (),
        alive: || (),
        line: &|line: &str| println!("{line}"),
        misread: &|_| Ok(()),
    };
    Ok(watch(&settings, hooks, &AtomicBool::new(false))?)
}

/// The time that a process has had of a processor.
pub fn cpu_seconds(pid: &str) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(')').ok_or("it has a name")?.1;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(words.get(at).ok_or("it has times")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

fn memory_bytes(pid: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("it has memory")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? << 10)
}
