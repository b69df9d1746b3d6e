//! The machine's `nft`: takes a transaction whole or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use ringfort_policy::{Outline, TABLE};

/// Says that nft did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// It could not be started or spoken with.
    #[error("nft could not be started")]
    Absent(#[from] io::Error),
    /// It refused.
    #[error("nft refused: {0}")]
    Refused(String),
    /// It did not end.
    #[error("nft did not end within {} s", PATIENCE.as_secs())]
    Late,
    /// It said something else than it was asked.
    #[error("nft lists in a way that is not known")]
    Odd(#[from] serde_json::Error),
}

/// How long nft may take: the largest tables take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How nft begins to say that a table is not there; some versions go on to guess which was meant.
const ABSENT: &str = "Error: No such file or directory";

/// How much of a table is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Depth {
    /// Chains, their rules, and that sets are there.
    Outline,
    /// What sets hold as well.
    Elements,
}

/// What the kernel holds of a table; nothing, where the table is not there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Held {
    pub(super) outline: Outline,
    /// How many elements each set has, if that was looked at.
    pub(super) elements: BTreeMap<String, usize>,
    /// How many packets rules of each chain dropped that no policy is asked about.
    pub(super) dropped: BTreeMap<String, u64>,
}

/// The program, and our table.
#[derive(Clone, Debug)]
pub(super) struct Nft {
    program: PathBuf,
    /// The process of the last transaction; 0 before the first.
    last: Arc<AtomicU32>,
}

impl Nft {
    pub(super) fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), last: Arc::default() }
    }

    /// Says whether the last transaction from here was a process's. Inside a container nobody knows, since processes
    /// have other numbers there.
    pub(super) fn was(&self, process: u32) -> bool {
        self.last.load(Ordering::Relaxed) == process
    }

    /// Applies a script as one transaction.
    pub(super) async fn apply(&self, script: &str) -> Result<(), NftError> {
        self.run(&["-f", "-"], script).await.map(|_| ())
    }

    /// Lists sets, and gives what nft says of each as JSON, one after the other.
    pub(super) async fn list(&self, sets: &[String]) -> Result<String, NftError> {
        let mut all = String::new();
        // Asked for several sets at once, nft 1.0.6 finds the last one only.
        for set in sets {
            all += &self.run(&["-j", &format!("list set {TABLE} {set}")], "").await?;
        }
        Ok(all)
    }

    /// Looks at what the kernel holds. Only the one table is asked for: to list which tables there are, nft 1.0.6
    /// reads every rule of the machine, which beside many Services takes a second.
    pub(super) async fn held(&self, depth: Depth) -> Result<Held, NftError> {
        let list = format!("list table {TABLE}");
        let listed = match depth {
            Depth::Outline => self.run(&["-j", "-t", &list], "").await,
            Depth::Elements => self.run(&["-j", &list], "").await,
        };
        match listed {
            Err(NftError::Refused(why)) if why.starts_with(ABSENT) => Ok(Held::default()),
            listed => Ok(read(&serde_json::from_str(&listed?)?)),
        }
    }

    async fn run(&self, arguments: &[&str], script: &str) -> Result<String, NftError> {
        timeout(PATIENCE, self.told(arguments, script)).await.unwrap_or(Err(NftError::Late))
    }

    async fn told(&self, arguments: &[&str], script: &str) -> Result<String, NftError> {
        let mut nft = Command::new(&self.program)
            .args(arguments)
            // What it complains about is read.
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if !script.is_empty() {
            self.last.store(nft.id().unwrap_or_default(), Ordering::Relaxed);
        }
        let mut input = nft.stdin.take();
        let write = async {
            if let Some(input) = &mut input {
                // A refusal before the end closes the pipe; what it says is told below.
                let _ = input.write_all(script.as_bytes()).await;
            }
            drop(input.take());
        };
        let ((), said) = tokio::join!(write, nft.wait_with_output());
        let said = said?;
        if said.status.success() {
            return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
        }
        let complaint = String::from_utf8_lossy(&said.stderr);
        let first =
            complaint.lines().find(|line| line.contains("rror")).unwrap_or(complaint.trim());
        Err(NftError::Refused(first.to_owned()))
    }
}

fn entries(listed: &Value) -> impl Iterator<Item = &Value> {
    listed["nftables"].as_array().into_iter().flatten()
}

fn read(listed: &Value) -> Held {
    let mut held = Held::default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for entry in entries(listed) {
        let Some((what, of)) = entry.as_object().and_then(|entry| entry.iter().next()) else {
            continue;
        };
        match what.as_str() {
            "chain" => {
                held.outline.chains.entry(text(&of["name"])).or_default();
            }
            "rule" => {
                let chain = text(&of["chain"]);
                *held.outline.chains.entry(chain.clone()).or_default() += 1;
                let what = of["expr"].as_array().into_iter().flatten();
                let packets: u64 = what.filter_map(|it| it["counter"]["packets"].as_u64()).sum();
                if packets > 0 {
                    *held.dropped.entry(chain).or_default() += packets;
                }
            }
            "set" | "map" => {
                let elements = of["elem"].as_array().map_or(0, Vec::len);
                held.elements.insert(text(&of["name"]), elements);
                held.outline.sets.insert(text(&of["name"]));
            }
            _ => {}
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::{ABSENT, Depth, Held, Nft, NftError, read};

    #[tokio::test]
    async fn only_a_table_that_is_not_there_is_an_empty_one() {
        let room = tempfile::tempdir().unwrap();
        let program = room.path().join("nft");
        fs::write(&program, "#!/bin/sh\ncat \"${0%/*}/complaint\" >&2\nexit 1\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let nft = Nft::new(&program);
        let held = async |complaint: &str| {
            fs::write(room.path().join("complaint"), complaint).unwrap();
            nft.held(Depth::Outline).await
        };
        let pointed = format!("{ABSENT}\nlist table inet ringfort-policy\n                ^^^");
        let guessed =
            format!("{ABSENT}; did you mean table \u{2018}ringfort\u{2019} in family inet?");
        for absent in [pointed, guessed] {
            assert_eq!(held(absent.as_str()).await.unwrap(), Held::default(), "{absent}");
        }
        let without_rights = "netlink: Error: cache initialization failed: Operation not permitted";
        for trouble in
            ["", without_rights, "Error: Could not process rule: No such file or directory"]
        {
            assert!(matches!(held(trouble).await, Err(NftError::Refused(_))), "{trouble}");
        }
    }

    #[test]
    fn a_table_is_read_as_nft_writes_it() {
        let listed = json!({"nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "inet", "name": "t"}},
            {"set": {"name": "own", "elem": [{"prefix": {"addr": "10.1.1.0", "len": 24}}]}},
            {"map": {"name": "pods", "elem": [["10.1.1.5", {"accept": null}], ["10.1.1.6", {"drop": null}]]}},
            {"set": {"name": "flows"}},
            {"chain": {"name": "forward", "hook": "forward"}},
            {"chain": {"name": "empty"}},
            {"rule": {"chain": "forward", "expr": [{"counter": {"packets": 3, "bytes": 9}}, {"drop": null}]}},
            {"rule": {"chain": "forward", "expr": []}},
        ]});
        let held = read(&listed);
        let chains = [("empty".to_owned(), 0), ("forward".to_owned(), 2)];
        assert_eq!(held.outline.chains, chains.into());
        let counts: Vec<_> = held.elements.iter().map(|(name, it)| (name.as_str(), *it)).collect();
        assert_eq!(counts, [("flows", 0), ("own", 1), ("pods", 2)]);
        assert_eq!(held.outline.sets.len(), 3);
        assert_eq!(held.dropped, [("forward".to_owned(), 3)].into());
    }
}
