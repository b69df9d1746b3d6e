//! The programs that build kustomizations and render charts.
//!
//! They are started by their whole path, without a shell, with nothing of our environment: no kubeconfig, no
//! credentials, no home, no other program to call, and with proxies where nobody listens.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringfort_facts::manifest;

/// Where programs are looked for, and how long one may take.
pub(super) struct Tools {
    pub(super) path: Option<OsString>,
    pub(super) patience: Duration,
}

/// No manifests of people are longer.
const MOST_BYTES: usize = 64 << 20;

/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// An address where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

impl Tools {
    /// Those of whoever runs this.
    pub(super) fn of_path() -> Self {
        Self { path: env::var_os("PATH"), patience: PATIENCE }
    }

    /// Builds a kustomization.
    pub(super) fn kustomize(&self, directory: &Path) -> Result<String, String> {
        let built = "it changes what it lists, so that only what is built of it can be judged";
        self.run("kubectl", &[OsStr::new("kustomize"), whole(directory).as_os_str()], built)
    }

    /// Renders a chart with its own values.
    pub(super) fn helm(&self, chart: &Path) -> Result<String, String> {
        let path = whole(chart);
        let words = [OsStr::new("template"), path.as_os_str(), OsStr::new("--include-crds")];
        self.run("helm", &words, "it is a chart, so that only what is rendered of it can be judged")
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let directories = env::split_paths(self.path.as_ref()?).filter(|it| it.is_absolute());
        directories.map(|it| it.join(program)).find(|it| it.is_file())
    }

    fn run(&self, program: &str, words: &[&OsStr], needed: &str) -> Result<String, String> {
        let Some(file) = self.find(program) else {
            return Err(format!("{needed}, and {program} is not on this machine"));
        };
        let said = self
            .said(&file, words)
            .map_err(|error| format!("{program} could not be run: {error}"))?;
        let text = manifest::text(&said.stdout, MOST_BYTES)
            .map_err(|error| format!("{program} wrote what cannot be read: {error}"))?;
        match said.end {
            End::Well => Ok(text.to_owned()),
            End::Ill => Err(format!("{program} does not build it: {}", complaint(&said.stderr))),
            End::Late => Err(format!("{program} took longer than {:?}", self.patience)),
        }
    }

    fn said(&self, file: &Path, words: &[&OsStr]) -> io::Result<Said> {
        let mut command = Command::new(file);
        command.args(words).env_clear().current_dir("/");
        for (name, value) in [("PATH", ""), ("HOME", "/nonexistent"), ("KUBECONFIG", "/dev/null")] {
            command.env(name, value);
        }
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(name, NOWHERE).env(name.to_lowercase(), NOWHERE);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdout, stderr) = (listen(child.stdout.take()), listen(child.stderr.take()));
        let end = wait(&mut child, self.patience)?;
        let heard = |it: JoinHandle<Vec<u8>>| match end {
            // What it started may hold its ends open.
            End::Late => Vec::new(),
            _ => it.join().unwrap_or_default(),
        };
        Ok(Said { end, stdout: heard(stdout), stderr: heard(stderr) })
    }
}

/// The directory as it is named from anywhere.
fn whole(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

struct Said {
    end: End,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[derive(Clone, Copy)]
enum End {
    Well,
    Ill,
    Late,
}

/// Hears what is written, and no more than can be used. Who writes more finds nobody listening.
fn listen(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut heard = Vec::new();
        if let Some(pipe) = pipe {
            // What came before a fault is heard all the same, and does not end well.
            let _ = pipe.take(MOST_BYTES as u64 + 1).read_to_end(&mut heard);
        }
        heard
    })
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<End> {
    let end = Instant::now() + patience;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(End::Well),
            Some(_) => return Ok(End::Ill),
            None if Instant::now() >= end => {
                child.kill()?;
                child.wait()?;
                return Ok(End::Late);
            }
            None => thread::sleep(PAUSE),
        }
    }
}

/// The last thing that it complained about.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.unwrap_or("it does not say why").chars().take(MOST_CHARS).collect()
}

/// No more of a complaint is of use.
const MOST_CHARS: usize = 400;
