//! The input and output of a running command.

use std::net::IpAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::DoorError;

/// What a command writes.
pub type Reader = Pin<Box<dyn AsyncRead + Send>>;
/// What a command reads.
pub type Writer = Pin<Box<dyn AsyncWrite + Send>>;

/// The input and output of a running command.
pub struct Pipe {
    /// What the command writes.
    pub reader: Reader,
    /// What the command reads.
    pub writer: Writer,
    /// What the command complains and how it ends.
    pub(crate) end: oneshot::Receiver<End>,
    pub(crate) address: IpAddr,
}

/// How a command ended.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) stderr: Vec<u8>,
    pub(crate) code: Option<u32>,
}

/// What a finished command left.
#[derive(Debug)]
pub struct Output {
    /// What it wrote.
    pub stdout: Vec<u8>,
    /// What it complained.
    pub stderr: Vec<u8>,
    /// Its exit code; `None` if it was killed.
    pub code: Option<u32>,
}

impl Output {
    /// Says whether the command succeeded.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Gives the last line of the command's complaint.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message").to_owned()
    }
}

/// Tells how a command ended, once it has.
pub struct Ending(oneshot::Receiver<End>);

impl Ending {
    /// Waits for the command's end. What it wrote is with whoever read it.
    pub async fn output(self) -> Output {
        let End { stderr, code } = self.0.await.unwrap_or_default();
        Output { stdout: Vec::new(), stderr, code }
    }

    /// Waits a little for the command's last complaint; empty if there is none.
    pub async fn complaint(self) -> String {
        let soon = tokio::time::timeout(std::time::Duration::from_secs(2), self.0).await;
        let stderr = soon.ok().and_then(Result::ok).unwrap_or_default().stderr;
        let text = String::from_utf8_lossy(&stderr);
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
    }
}

impl Pipe {
    /// Takes the pipe apart into what the command writes, what it reads, and its end.
    pub fn into_parts(self) -> (Reader, Writer, Ending) {
        (self.reader, self.writer, Ending(self.end))
    }

    pub(crate) async fn finish(self, input: &[u8]) -> Result<Output, DoorError> {
        let Self { mut reader, mut writer, end, address } = self;
        let mut stdout = Vec::new();
        let feed = async move {
            // A command may end without reading all of its input; its exit code tells. The pipe of
            // a local command closes when it is dropped, not before.
            let _ = writer.write_all(input).await;
            let _ = writer.shutdown().await;
            drop(writer);
        };
        let ((), read) = tokio::join!(feed, reader.read_to_end(&mut stdout));
        read.map_err(|source| DoorError::Broken { address, why: source.to_string() })?;
        let end = end.await.unwrap_or_default();
        Ok(Output { stdout, stderr: end.stderr, code: end.code })
    }
}
