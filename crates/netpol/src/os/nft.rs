//! The machine's `nft`: takes a transaction whole or not at all.

use std::io;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Says that nft did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// It could not be started or spoken with.
    #[error("nft could not be started")]
    Absent(#[from] io::Error),
    /// It refused.
    #[error("nft refused: {0}")]
    Refused(String),
}

/// Applies a script as one transaction.
pub(super) async fn apply(script: &str) -> Result<(), NftError> {
    run(&["-f", "-"], script).await.map(|_| ())
}

/// Lists sets of a table, and gives what nft says of each as JSON, one after the other.
pub(super) async fn list(table: &str, sets: &[String]) -> Result<String, NftError> {
    let mut all = String::new();
    // Asked for several sets at once, nft 1.0.6 finds the last one only.
    for set in sets {
        all += &run(&["-j", &format!("list set {table} {set}")], "").await?;
    }
    Ok(all)
}

/// Says whether the table is there.
pub(super) async fn is_there(table: &str) -> bool {
    run(&["-f", "-"], &format!("list chain {table} egress_forward\n")).await.is_ok()
}

async fn run(arguments: &[&str], script: &str) -> Result<String, NftError> {
    let mut nft = Command::new("nft")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
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
    let first = complaint.lines().find(|line| line.contains("rror")).unwrap_or(complaint.trim());
    Err(NftError::Refused(first.to_owned()))
}
