//! A run of the program that goes on while a case does something else.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Said, said};

/// A run that goes on.
pub struct Running {
    child: Child,
    events: BufReader<ChildStdout>,
    heard: String,
}

impl Running {
    /// Starts a command in a process group of its own, as a shell does.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("ringfort starts");
        let events = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, events, heard: String::new() }
    }

    /// Waits until the run tells an event that is looked for, or ends. Says whether it told it.
    pub fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> bool {
        let mut line = String::new();
        while self.events.read_line(&mut line).is_ok_and(|count| count > 0) {
            self.heard.push_str(&line);
            let event = serde_json::from_str(&line).unwrap_or(Value::Null);
            line.clear();
            if is_it(&event) {
                return true;
            }
        }
        false
    }

    /// Waits until a stage begins.
    pub fn until_stage(&mut self, name: &str) {
        self.until(|event| event["event"] == "stage" && event["name"] == name);
    }

    /// Does what Ctrl-C does.
    pub fn interrupt(&self) {
        self.send("-INT");
    }

    /// Ends it at once, and gives what was said.
    pub fn kill(self) -> Said {
        self.send("-KILL");
        self.end(10)
    }

    fn send(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        let sent = Command::new("kill").args([signal, "--", &group]).status().unwrap();
        assert!(sent.success(), "the run could not be sent {signal}");
    }

    /// Waits for the end, which must come within some seconds, and gives what was said.
    pub fn end(mut self, within_s: u64) -> Said {
        let start = Instant::now();
        self.until(|_| false);
        let mut output = self.child.wait_with_output().expect("it can be waited for");
        assert!(
            start.elapsed() < Duration::from_secs(within_s),
            "the end took {:?}",
            start.elapsed()
        );
        output.stdout = self.heard.into_bytes();
        said(&output)
    }
}
