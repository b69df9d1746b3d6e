//! What a run that is interrupted says, however early: who waits for its first word may order its
//! end at once.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use ringfort_model::certificate::{Authority, Subject};
use ringfort_model::name::ClusterName;
use ringfort_model::secret::Secret;
use ringfort_pki::{Ca, Endpoint, Signer, person_kubeconfig};

/// A server that never answers, so that the run has something to wait for, and the way to it.
fn silent_server() -> (TcpListener, Secret<String>) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint {
        context: "silent".to_owned(),
        server: format!("https://{}", server.local_addr().unwrap()),
    };
    let now_s = jiff::Timestamp::now().as_second();
    let authority = Ca::make(Authority::Cluster, now_s).unwrap();
    let signer = Signer::open(Authority::Cluster, &authority, now_s).unwrap();
    let person = signer.client(&Subject::user("someone"), Duration::from_hours(1)).unwrap();
    let name = ClusterName::new("silent").unwrap();
    let pem = &authority.certificate_pem;
    (server, person_kubeconfig(&name, "someone", &[endpoint], pem, &person))
}

/// How a run ends that gets this signal as soon as it has said its first word, and what it says.
fn ended_by(signal: &str) -> (Option<i32>, String) {
    let room = tempfile::tempdir().unwrap();
    let (_server, kubeconfig) = silent_server();
    let file = room.path().join("kubeconfig");
    std::fs::write(&file, kubeconfig.expose()).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_ringfort"))
        .args(["prove", "--json", "--kubeconfig"])
        .arg(&file)
        .env_clear()
        .env("HOME", room.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(run.stdout.take().unwrap());
    let mut first = String::new();
    told.read_line(&mut first).unwrap();
    assert!(first.contains(r#""event":"started""#), "{first}");
    let sent = Command::new("kill").args(["-s", signal, &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    (run.wait().unwrap().code(), rest)
}

#[test]
fn an_end_that_is_ordered_at_the_first_word_is_told() {
    for signal in ["INT", "TERM"] {
        for _ in 0..20 {
            let (code, rest) = ended_by(signal);
            assert_eq!(code, Some(130), "{signal}: {rest}");
            let last = rest.lines().last().unwrap_or_default();
            assert!(last.contains(r#""event":"finished""#), "{signal}: {rest}");
        }
    }
}
