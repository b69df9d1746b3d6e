//! Commands on this machine.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::DoorError;
use crate::pipe::{End, Pipe};

pub(crate) fn exec(command: &str) -> Result<Pipe, DoorError> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]);
    spawn(shell, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Starts a program of this machine and gives its pipes.
pub(crate) fn spawn(mut program: Command, address: IpAddr) -> Result<Pipe, DoorError> {
    let name = program.as_std().get_program().to_string_lossy().into_owned();
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    program.kill_on_drop(true);
    let mut child =
        program.spawn().map_err(|source| DoorError::NoProgram { program: name, source })?;
    let stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let (tell, end) = oneshot::channel();
    tokio::spawn(async move {
        let mut complaint = Vec::new();
        let _ = stderr.read_to_end(&mut complaint).await;
        let code = child.wait().await.ok().and_then(|status| status.code());
        let code = code.and_then(|code| u32::try_from(code).ok());
        // Nobody may be listening any more.
        let _ = tell.send(End { stderr: complaint, code });
    });
    Ok(Pipe { reader: Box::pin(stdout), writer: Box::pin(stdin), end, address })
}
