//! Where findings go as they are made: standard output, the machine's log, numbers for Prometheus, and whoever receives
//! them over the network.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringfort_audit::finding::Finding;
use ringfort_audit::repeats::{Again, Repeats};
use ringfort_audit::waiver::Waivers;
use ringfort_model::severity::Severity;
use ringfort_store::os::Delivery;
use serde::Serialize;

use super::receivers::Sink;
use super::waivers::{self, Used};
use super::{line, plain};
use crate::cli::files::Unread;
use crate::cli::{Fault, print};

/// Where the machine's log is written to (systemd's journal, or a syslog daemon).
const LOG: &str = "/dev/log";
/// The facility of security messages (RFC 5424, table 1: log audit).
const FACILITY: u8 = 13;
/// How long a daemon may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often numbers are written.
const EVERY: Duration = Duration::from_secs(5);

/// Tells findings: each once, what comes again as a number, and nothing that is waived.
pub(super) struct Teller {
    json: bool,
    log: Option<Log>,
    metrics: Option<Metrics>,
    sinks: Vec<Sink>,
    /// What was last told of each receiver.
    troubles: Vec<Option<String>>,
    waivers: Waivers,
    repeats: Repeats,
    began: Instant,
    /// How much was found that nobody answers for.
    pub(super) count: u64,
}

/// Numbers that are written to a file.
struct Metrics {
    file: PathBuf,
    written: Option<Instant>,
    findings: BTreeMap<(Cow<'static, str>, Severity), u64>,
    /// The last that a proof did to see that it is counted.
    canary: Option<String>,
}

/// What stands in the file of numbers before the last that a proof did to see that it is counted: a comment, so that no
/// series is made of it.
pub(in crate::cli) const COUNTED: &str = "# The last canary that was counted: ";

/// What is told of a finding, for programs.
#[derive(Serialize)]
pub(super) struct Told<'f> {
    #[serde(flatten)]
    pub(super) finding: &'f Finding,
    /// Whether a proof of ringfort's did it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) canary: bool,
    /// How often it came again, where this is about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<u64>,
}

impl<'f> Told<'f> {
    pub(super) fn new(finding: &'f Finding, again: Option<u64>) -> Self {
        Self { finding, canary: finding.is_canary(), again }
    }
}

/// In words: the mark of a canary first, where nothing stands that somebody else chose.
impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.canary { "canary: " } else { "" };
        write!(f, "{mark}{}", self.finding)?;
        match self.again {
            None => Ok(()),
            Some(1) => write!(f, " (once more)"),
            Some(times) => write!(f, " ({times} times more)"),
        }
    }
}

impl Teller {
    /// Opens what is written to.
    pub(super) fn new(
        json: bool,
        syslog: bool,
        metrics: Option<&Path>,
        sinks: Vec<Sink>,
        waivers: Waivers,
    ) -> Result<Self, Fault> {
        let log = syslog.then(|| Log::open(Path::new(LOG))).transpose()?;
        let metrics = metrics.map(|file| Metrics {
            file: file.to_owned(),
            written: None,
            findings: BTreeMap::new(),
            canary: None,
        });
        let (repeats, began) = (Repeats::default(), Instant::now());
        let troubles = vec![None; sinks.len()];
        Ok(Self { json, log, metrics, sinks, troubles, waivers, repeats, began, count: 0 })
    }

    /// Tells a finding. What a proof does to see who is told of it no waiver covers.
    pub(super) fn tell(&mut self, finding: &Finding) -> Result<(), Fault> {
        waivers::end(&mut self.waivers);
        let covered = match finding.is_to_be_told() {
            true => None,
            false => self.waivers.cover(finding),
        };
        if let Some(at) = covered {
            // The first time; how often it was is told at the end.
            if let (waiver, 1) = &self.waivers.all()[at] {
                anstream::eprintln!("{}", Used::of(waiver, 1));
            }
            return Ok(());
        }
        self.count += 1;
        if let Some(metrics) = &mut self.metrics {
            metrics.add(finding);
        }
        match self.repeats.is_new(finding, self.began.elapsed()) {
            true => self.say(finding, None),
            false => Ok(()),
        }
    }

    /// Makes durable what is to be sent, and says how that goes where it goes otherwise than before.
    fn keep(&mut self) -> Result<(), Fault> {
        for (sink, told) in self.sinks.iter_mut().zip(&mut self.troubles) {
            sink.keep()?;
            let trouble = sink.state().trouble;
            if *told == trouble {
                continue;
            }
            match &trouble {
                Some(why) => anstream::eprintln!("the {} receives nothing: {why}", sink.name),
                None => anstream::eprintln!("the {} receives again", sink.name),
            }
            *told = trouble;
        }
        Ok(())
    }

    /// Waits until receivers have what was told, for a while.
    pub(super) fn drain(&self) -> Result<(), Fault> {
        self.sinks.iter().try_for_each(Sink::drain)
    }

    /// Tells what came again and is over, or all of it at the end. All that was told is durable afterwards.
    pub(super) fn settle(&mut self, is_end: bool) -> Result<(), Fault> {
        let again = match is_end {
            true => self.repeats.rest(),
            false => self.repeats.over(self.began.elapsed()),
        };
        for Again { finding, times } in again {
            self.say(&finding, Some(times))?;
        }
        if is_end {
            for used in waivers::used(&self.waivers) {
                anstream::eprintln!("{used}");
            }
        }
        self.keep()
    }

    /// Writes the numbers, if it is time to.
    pub(super) fn count(&mut self, unjudged: u64, is_end: bool) -> Result<(), Fault> {
        let waived = self.waivers.covered();
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        if !is_end && metrics.written.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(());
        }
        metrics.written = Some(Instant::now());
        let mut text = metrics.text(waived, unjudged);
        let sent = self.sinks.iter().map(|sink| (sink.name, sink.state()));
        text.push_str(&deliveries(&sent.collect::<Vec<_>>()));
        let aside = metrics.file.with_extension("new");
        // Who scrapes it is somebody else, and it names nobody.
        let written = std::fs::write(&aside, text)
            .and_then(|()| std::fs::set_permissions(&aside, Permissions::from_mode(0o644)))
            .and_then(|()| std::fs::rename(&aside, &metrics.file));
        written.map_err(|error| Fault::unable(Unread::of(&metrics.file, &error)))
    }

    fn say(&mut self, finding: &Finding, again: Option<u64>) -> Result<(), Fault> {
        let told = Told::new(finding, again);
        print(&match self.json {
            true => line(&told)?,
            false => format!("{told}\n"),
        });
        self.sinks.iter_mut().try_for_each(|sink| sink.take(&told))?;
        self.log.as_ref().map_or(Ok(()), |log| log.write(&message(&told)))
    }
}

/// The machine's log.
struct Log {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Log {
    fn open(path: &Path) -> Result<Self, Fault> {
        let open = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.connect(path)?;
            Ok::<_, std::io::Error>(socket)
        };
        let socket = open().map_err(|error| Fault::unable(Unread::of(path, &error)))?;
        Ok(Self { socket, path: path.to_owned() })
    }

    /// A daemon that was started again has another socket; what nobody takes ends the command, so that the cursor
    /// stays before it.
    fn write(&self, message: &str) -> Result<(), Fault> {
        let send = || self.socket.send(message.as_bytes());
        let sent = send().or_else(|_| self.socket.connect(&self.path).and_then(|()| send()));
        sent.map(drop).map_err(|error| Fault::unable(Unread::of(&self.path, &error)))
    }
}

/// A message as local daemons take it: a priority, a name, and a line.
fn message(told: &Told<'_>) -> String {
    let words = plain(&told.to_string());
    format!("<{}>ringfort-audit: {words}", priority(told.finding.severity))
}

/// Gives facility and level as one number (RFC 5424, section 6.2.1).
pub(super) fn priority(severity: Severity) -> u8 {
    let level = match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
    };
    FACILITY * 8 + level
}

impl Metrics {
    fn add(&mut self, finding: &Finding) {
        let kind = (finding.detection.clone(), finding.severity);
        *self.findings.entry(kind).or_default() += 1;
        if finding.is_to_be_told() {
            self.canary = Some(plain(&finding.object));
        }
    }

    /// Writes numbers as Prometheus reads them (text format 0.0.4).
    fn text(&self, waived: u64, unjudged: u64) -> String {
        let mut text = "# HELP ringfort_audit_findings_total Findings that nobody answers for.\n\
                        # TYPE ringfort_audit_findings_total counter\n"
            .to_owned();
        for ((detection, severity), times) in &self.findings {
            text.push_str(&format!(
                "ringfort_audit_findings_total{{detection=\"{detection}\",severity=\"{severity}\"}} {times}\n"
            ));
        }
        let rest = [
            ("waived", "Findings that a waiver covers.", waived),
            ("unjudged", "Entries that were not judged, in whole or in part.", unjudged),
        ];
        for (name, help, value) in rest {
            text.push_str(&format!(
                "# HELP ringfort_audit_{name}_total {help}\n# TYPE ringfort_audit_{name}_total counter\n\
                 ringfort_audit_{name}_total {value}\n"
            ));
        }
        if let Some(canary) = &self.canary {
            text.push_str(&format!("{COUNTED}{canary}\n"));
        }
        text
    }
}

/// Writes numbers of what waits for receivers.
fn deliveries(all: &[(&str, Delivery)]) -> String {
    let rows = [
        ("waiting", "gauge", "Findings that wait for a receiver."),
        ("lost_total", "counter", "Findings that there was no room to wait for."),
        ("failing", "gauge", "Whether the last attempt to send failed."),
    ];
    let mut text = String::new();
    for (name, kind, help) in rows.into_iter().filter(|_| !all.is_empty()) {
        text.push_str(&format!(
            "# HELP ringfort_audit_{name} {help}\n# TYPE ringfort_audit_{name} {kind}\n"
        ));
        for (receiver, Delivery { waiting, lost, trouble }) in all {
            let value = match name {
                "waiting" => *waiting,
                "lost_total" => *lost,
                _ => u64::from(trouble.is_some()),
            };
            text.push_str(&format!("ringfort_audit_{name}{{receiver=\"{receiver}\"}} {value}\n"));
        }
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::{COUNTED, Delivery, Log, Metrics, Teller, Told, deliveries, message};
    use ringfort_audit::finding::Finding;
    use ringfort_audit::waiver::Waivers;
    use ringfort_model::severity::Severity;

    pub(in crate::cli::audit) fn finding(severity: Severity) -> Finding {
        Finding {
            time: "T".to_owned(),
            user: "eve".to_owned(),
            verb: "list".to_owned(),
            object: "secrets\nshop".to_owned(),
            said: "all Secrets were read".to_owned(),
            ..Finding::on_machine("10.0.0.1", "secrets/all-read".to_owned(), severity, None)
        }
    }

    #[test]
    fn a_finding_is_one_line_of_the_log_of_its_gravity() {
        let finding = finding(Severity::Critical);
        assert_eq!(
            message(&Told::new(&finding, Some(2))),
            "<106>ringfort-audit: T critical secrets/all-read: eve from 10.0.0.1: list secretsshop: all Secrets were \
             read (2 times more)"
        );
    }

    #[test]
    fn a_daemon_that_was_started_again_is_written_to_and_one_that_is_gone_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert!(Log::open(&path).is_err());
        let mut heard = [0; 16];
        let daemon = UnixDatagram::bind(&path).unwrap();
        let log = Log::open(&path).unwrap();
        log.write("one").unwrap();
        assert_eq!(daemon.recv(&mut heard).unwrap(), 3);
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        assert!(log.write("lost").is_err());
        let daemon = UnixDatagram::bind(&path).unwrap();
        log.write("three").unwrap();
        let length = daemon.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"three");
    }

    #[test]
    fn numbers_are_as_prometheus_reads_them() {
        let mut metrics = Metrics {
            file: "m".into(),
            written: None,
            findings: [(("secrets/all-read".into(), Severity::High), 2)].into(),
            canary: None,
        };
        metrics.add(&finding(Severity::High));
        let text = metrics.text(1, 2);
        let wanted = [
            "ringfort_audit_findings_total{detection=\"secrets/all-read\",severity=\"high\"} 3",
            "ringfort_audit_waived_total 1",
            "ringfort_audit_unjudged_total 2",
        ];
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(values, wanted);
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 3);
        assert!(!text.contains(COUNTED));
    }

    /// What a proof does in the namespace of a run.
    pub(in crate::cli::audit) fn canary() -> Finding {
        let run = "ringfort-canary-0123abcd";
        let (user, object) = ("ringfort:keeper".to_owned(), format!("roles {run} {run}-told-0"));
        Finding { user, object, ..finding(Severity::Medium) }
    }

    #[test]
    fn a_canary_is_marked_where_nobody_else_could_write() {
        let told = message(&Told::new(&canary(), None));
        assert!(told.starts_with("<108>ringfort-audit: canary: T medium "), "{told}");
        let json = super::line(&Told::new(&canary(), None)).unwrap();
        assert!(json.contains("\"canary\":true"), "{json}");
        let mut forged = finding(Severity::Medium);
        forged.object = "canary: ringfort-canary-0123abcd".to_owned();
        let told = message(&Told::new(&forged, None));
        assert!(told.starts_with("<108>ringfort-audit: T medium "), "{told}");
        assert!(!super::line(&Told::new(&forged, None)).unwrap().contains("\"canary\""));
    }

    fn waived(finding: &Finding) -> Waivers {
        let document = serde_json::json!({"waivers": [{"detection": finding.detection, "user": finding.user,
            "reason": "r", "owner": "o", "expires": "2999-12-31"}]});
        let all = ringfort_audit::waiver::read(&document, &[&*finding.detection]).unwrap();
        Waivers::new(all, jiff::civil::date(2026, 1, 1)).0
    }

    /// Who waives what ringfort itself does still learns from its proof whether anybody is told.
    #[test]
    fn no_waiver_keeps_a_canary_from_those_who_are_to_be_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ringfort.prom");
        let mut teller =
            Teller::new(true, false, Some(&file), Vec::new(), waived(&canary())).unwrap();
        let other = Finding { object: "roles shop reader".to_owned(), ..canary() };
        teller.tell(&other).unwrap();
        assert_eq!(teller.count, 0);
        teller.tell(&canary()).unwrap();
        assert_eq!(teller.count, 1);
        teller.count(0, true).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let line = format!("{COUNTED}{}", canary().object);
        assert!(text.lines().any(|it| it == line), "{text}");
        assert!(text.contains("ringfort_audit_waived_total 1\n"), "{text}");
    }

    #[test]
    fn numbers_of_receivers_say_what_waits_and_what_was_lost() {
        let trouble = Some("away".to_owned());
        let text = deliveries(&[("webhook", Delivery { waiting: 4, lost: 1, trouble })]);
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let wanted = [
            "ringfort_audit_waiting{receiver=\"webhook\"} 4",
            "ringfort_audit_lost_total{receiver=\"webhook\"} 1",
            "ringfort_audit_failing{receiver=\"webhook\"} 1",
        ];
        assert_eq!(values, wanted);
        assert_eq!(deliveries(&[]), "");
    }
}
