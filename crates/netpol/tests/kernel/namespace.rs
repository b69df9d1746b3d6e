//! A network namespace of its own, for what only a kernel shows.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

/// A network namespace that ends with it.
pub(crate) struct Namespace(Child);

impl Namespace {
    pub(crate) fn new() -> Self {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo here; exec sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut here = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut here).unwrap();
        Self(child)
    }

    /// Prepares to run a program inside.
    pub(crate) fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.id(), "--net", program]);
        command
    }

    /// The process that holds it.
    pub(crate) fn id(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
