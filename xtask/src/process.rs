//! Running other programs: passed through, captured, or supervised with a deadline.
//!
//! Never killed by name. A supervised program gets a process group of its own, and that group is
//! all that is ever killed.

use std::io::{self, BufRead, BufReader, IsTerminal};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::interrupt::Passed;

/// How long a finished program's output is waited for when something it left behind still holds it.
const LATE_OUTPUT: Duration = Duration::from_secs(3);

/// Runs a program with the terminal passed through.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let passed = Passed::on();
    let status = command.status().map_err(|source| not_started(command, &source))?;
    // Asked in any case: a key that was pressed for this program is not for the next.
    let pressed = passed.was_pressed();
    match status.success() {
        // It ended in good order all the same, but what comes next is not wanted.
        true if pressed => Err(Failure::stuck("interrupted; run it again to go on")),
        true => Ok(()),
        false => Err(ended_badly(command, status)),
    }
}

/// Runs a program with the terminal passed through and returns its exit code. The interrupt key is for the program.
pub(crate) fn exit_code(command: &mut Command) -> Result<u8> {
    let passed = Passed::on();
    let status = command.status().map_err(|source| not_started(command, &source))?;
    // What the program made of the key is in its code.
    let _ = passed.was_pressed();
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.ok_or_else(|| ended_badly(command, status))
}

/// Runs a program and returns what it wrote to stdout; stderr is passed through.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let (status, text) = listen(command)?;
    if status.success() { Ok(text) } else { Err(ended_badly(command, status)) }
}

/// Runs a program and returns how it ended and what it wrote to stdout; stderr is passed through.
pub(crate) fn listen(command: &mut Command) -> Result<(ExitStatus, String)> {
    let output = command
        .stderr(Stdio::inherit())
        .stdin(Stdio::null())
        .output()
        .map_err(|source| not_started(command, &source))?;
    let text = String::from_utf8(output.stdout)
        .map_err(|_| Failure::stuck(format!("{} wrote text that is not UTF-8", name(command))))?;
    Ok((output.status, text))
}

/// Runs a program that reads `input`; its output goes where the command says.
pub(crate) fn feed(command: &mut Command, input: &mut dyn io::Read) -> Result<()> {
    let mut child =
        command.stdin(Stdio::piped()).spawn().map_err(|source| not_started(command, &source))?;
    let mut stdin = child.stdin.take().expect("stdin was piped just before");
    // A program that ends before it has read everything says by its status whether that is well.
    let _ = io::copy(input, &mut stdin);
    drop(stdin);
    let status = child.wait().map_err(|source| not_started(command, &source))?;
    if status.success() { Ok(()) } else { Err(ended_badly(command, status)) }
}

/// How a supervised program ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// With exit code 0.
    Well,
    /// With another exit code, or by a signal.
    Badly(ExitStatus),
    /// Killed, since its time was over.
    OutOfTime,
}

/// How long a supervised program may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Until then; it runs in a process group of its own, which is killed as a whole.
    Until(Instant),
    /// As long as it likes: a person watches, and the interrupt key reaches the program too.
    Endless,
}

impl Patience {
    /// Until `end`, unless a person sits at a terminal.
    pub(crate) fn unless_watched(end: Instant) -> Self {
        if io::stdin().is_terminal() { Self::Endless } else { Self::Until(end) }
    }
}

/// Runs a program, shows its stdout and gives each line of it to `line` as well.
pub(crate) fn supervise(
    command: &mut Command,
    patience: Patience,
    mut line: impl FnMut(&str),
) -> Result<Ending> {
    if let Patience::Until(_) = patience {
        command.process_group(0).stdin(Stdio::null());
    }
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|source| not_started(command, &source))?;
    let lines = read_lines(&mut child);
    loop {
        drain(&lines, Duration::from_millis(100), &mut line);
        if let Some(status) = child.try_wait().map_err(|source| not_started(command, &source))? {
            drain(&lines, LATE_OUTPUT, &mut line);
            return Ok(if status.success() { Ending::Well } else { Ending::Badly(status) });
        }
        if matches!(patience, Patience::Until(end) if Instant::now() >= end) {
            kill_group(child.id());
            // The exit status of what was just killed says nothing new.
            let _ = child.wait();
            return Ok(Ending::OutOfTime);
        }
    }
}

fn read_lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let stdout = child.stdout.take().expect("stdout was piped just before");
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bytes.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    lines
}

/// Shows lines for as long as `patience` lasts or until there can be no more.
fn drain(lines: &Receiver<String>, patience: Duration, line: &mut impl FnMut(&str)) {
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(text) => {
                print!("{text}");
                line(text.trim_end());
            }
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => {
                // Nothing more will come; do not let the caller's loop spin.
                thread::sleep(Duration::from_millis(20).min(left));
                return;
            }
        }
    }
}

/// Kills a process group. The shell's own `kill` is used, since the program may not be installed.
fn kill_group(group: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s KILL -- \"-$1\"", "kill", &group.to_string()])
        .status();
}

fn not_started(command: &Command, source: &io::Error) -> Failure {
    let help = match source.kind() {
        io::ErrorKind::NotFound => ": is it installed and on PATH?",
        _ => "",
    };
    Failure::stuck(format!("cannot run {}: {source}{help}", name(command)))
}

fn ended_badly(command: &Command, status: ExitStatus) -> Failure {
    let arguments: Vec<_> = command.get_args().map(|each| each.to_string_lossy()).collect();
    Failure::stuck(format!("`{} {}` ended with {status}", name(command), arguments.join(" ")))
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn captured_output_is_returned_and_a_bad_ending_is_an_error() {
        assert_eq!(capture(&mut shell("echo one; echo two")).unwrap(), "one\ntwo\n");
        let error = capture(&mut shell("exit 3")).unwrap_err().to_string();
        assert_eq!(error, "`sh -c exit 3` ended with exit status: 3");
    }

    #[test]
    fn a_program_reads_what_it_is_fed_and_may_stop_reading() {
        feed(&mut shell("read -r line && [ \"$line\" = one ]"), &mut "one\ntwo\n".as_bytes())
            .unwrap();
        let much = "line\n".repeat(1 << 18);
        feed(&mut shell("exec true"), &mut much.as_bytes()).unwrap();
        assert!(feed(&mut shell("cat >/dev/null; exit 2"), &mut much.as_bytes()).is_err());
    }

    #[test]
    fn the_interrupt_key_is_for_the_program_that_has_the_terminal() {
        // The key reaches this process as well, which goes on to hear how the program ended.
        let pressed = "kill -s INT $PPID; sleep 1; exit ";
        assert_eq!(exit_code(&mut shell(&format!("{pressed}130"))).unwrap(), 130);
        let error = run(&mut shell(&format!("{pressed}0"))).unwrap_err().to_string();
        assert_eq!(error, "interrupted; run it again to go on");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.starts_with("cannot run no-such-program: "), "{error}");
        assert!(error.ends_with("is it installed and on PATH?"), "{error}");
    }

    #[test]
    fn lines_are_handed_over_and_the_ending_told() {
        let mut seen = Vec::new();
        let ending = supervise(&mut shell("echo one; printf two"), Patience::Endless, |line| {
            seen.push(line.to_owned());
        });
        assert_eq!(ending.unwrap(), Ending::Well);
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn what_hangs_is_killed_with_everything_it_started() {
        let mut child = None;
        let began = Instant::now();
        let patience = Patience::Until(began + Duration::from_millis(300));
        let ending = supervise(&mut shell("sleep 600 & echo $!; wait"), patience, |line| {
            child = line.parse::<u32>().ok();
        });
        assert_eq!(ending.unwrap(), Ending::OutOfTime);
        let path = format!("/proc/{}/stat", child.unwrap());
        // The kernel may take a moment to bury what was killed.
        while std::fs::read_to_string(&path).is_ok_and(|state| !state.contains(") Z ")) {
            assert!(began.elapsed() < Duration::from_secs(60), "{path} lives on");
            thread::yield_now();
        }
    }
}
