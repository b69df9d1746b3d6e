//! What a run of `ringfort up --json` told: its stages, its slowest steps and its end. Pure.

use serde_json::Value;

/// Something that took time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// What it was.
    pub(super) what: String,
    /// How long it took.
    pub(super) seconds: f64,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Story {
    /// The stages in their order; proofs are stages of their own.
    pub(super) stages: Vec<Span>,
    /// Every step that was taken, the slowest first.
    pub(super) steps: Vec<Span>,
    /// From start to end.
    pub(super) seconds: f64,
    /// How many steps were taken.
    pub(super) changes: u64,
    /// How many controls were proved.
    pub(super) proved: u64,
    /// Those that were not, each with what was seen.
    pub(super) not_proved: Vec<String>,
    /// Whether a kubeconfig was issued.
    pub(super) handed_over: bool,
    /// What stopped the run.
    pub(super) error: Option<String>,
}

impl Story {
    /// Reads the events of a run. Without a last event there is no story.
    pub(super) fn read(events: &str) -> Option<Self> {
        let events: Vec<Value> =
            events.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let end = events.iter().rfind(|event| event["event"] == "finished")?;
        let count = |name: &str| end[name].as_u64();
        let seconds = end["seconds"].as_f64()?;
        Some(Self {
            stages: stages(&events, seconds),
            steps: steps(&events),
            seconds,
            changes: count("changes")?,
            proved: count("proved")?,
            not_proved: not_proved(&events),
            handed_over: end["kubeconfig"].is_string(),
            error: end["error"].as_str().map(str::to_owned),
        })
    }
}

fn not_proved(events: &[Value]) -> Vec<String> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let proofs = events.iter().filter(|event| event["event"] == "proof");
    proofs
        .filter(|proof| !matches!(proof["verdict"].as_str(), Some("proved" | "not-applicable")))
        .map(|proof| {
            format!(
                "{} {}: {}",
                text(proof, "control"),
                text(proof, "verdict"),
                text(proof, "detail")
            )
        })
        .collect()
}

/// A stage lasts until the next one begins; a proof, from whatever was told before it.
fn stages(events: &[Value], end: f64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut begun: Option<(String, f64)> = None;
    let mut proofs_since = None;
    for event in events {
        let Some(at) = event["seconds"].as_f64() else { continue };
        match event["event"].as_str() {
            Some("stage") => {
                close(&mut spans, begun.take(), at);
                let name = event["name"].as_str().unwrap_or_default().to_owned();
                proofs_since = (name == "proofs").then_some(at);
                begun = (name != "proofs").then_some((name, at));
            }
            Some("proof") => {
                let since = proofs_since.unwrap_or(at);
                let control = event["control"].as_str().unwrap_or_default();
                spans.push(Span { what: format!("proof of {control}"), seconds: at - since });
                proofs_since = Some(at);
            }
            _ => {}
        }
    }
    close(&mut spans, begun.or(proofs_since.map(|at| ("the end".to_owned(), at))), end);
    spans
}

fn close(spans: &mut Vec<Span>, begun: Option<(String, f64)>, at: f64) {
    spans.extend(begun.map(|(what, since)| Span { what, seconds: at - since }));
}

fn steps(events: &[Value]) -> Vec<Span> {
    let step = |event: &Value| {
        let place = event["node"].as_str().unwrap_or("the API");
        let what = format!("{} on {place}", event["item"].as_str()?);
        Some(Span { what, seconds: event["took"].as_f64()? })
    };
    let taken = events.iter().filter(|event| event["event"] == "step");
    let mut steps: Vec<_> = taken.filter_map(step).collect();
    steps.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = r#"{"event":"started","version":1,"cluster":"a","command":"up"}
{"event":"stage","name":"preflight","seconds":1.0}
{"event":"stage","name":"machines and API","seconds":3.0}
{"event":"step","node":"cp1","item":"unit:kubelet.service","by":"x","because":"y","seconds":4.0,"took":0.5,"failed":null}
{"event":"step","item":"image:etcd","node":"cp2","by":"x","because":"y","seconds":5.0,"took":1.5,"failed":null}
{"event":"step","node":null,"item":"Namespace/a","by":"x","because":"y","seconds":5.0,"took":0.1,"failed":null}
{"event":"stage","name":"proofs","seconds":13.0}
{"event":"proof","control":"ha/nodes-are-ready","verdict":"proved","detail":"","seconds":15.0}
{"event":"proof","control":"data/encryption","verdict":"proved","detail":"","seconds":15.5}
{"event":"finished","seconds":16.0,"changes":3,"proved":2,"failed":0,"unknown":0,"kubeconfig":"k","error":null}
"#;

    fn spans(spans: &[(&str, f64)]) -> Vec<Span> {
        spans
            .iter()
            .map(|(what, seconds)| Span { what: (*what).into(), seconds: *seconds })
            .collect()
    }

    #[test]
    fn stages_and_proofs_fill_the_time_from_the_first_stage_to_the_end() {
        let story = Story::read(EVENTS).unwrap();
        let expected = [
            ("preflight", 2.0),
            ("machines and API", 10.0),
            ("proof of ha/nodes-are-ready", 2.0),
            ("proof of data/encryption", 0.5),
            ("the end", 0.5),
        ];
        assert_eq!(story.stages, spans(&expected));
        assert_eq!((story.seconds, story.changes, story.proved), (16.0, 3, 2));
        assert!(story.handed_over);
    }

    #[test]
    fn the_slowest_step_comes_first() {
        let expected = [
            ("image:etcd on cp2", 1.5),
            ("unit:kubelet.service on cp1", 0.5),
            ("Namespace/a on the API", 0.1),
        ];
        assert_eq!(Story::read(EVENTS).unwrap().steps, spans(&expected));
    }

    #[test]
    fn what_was_not_proved_is_told() {
        assert_eq!(Story::read(EVENTS).unwrap().not_proved, [""; 0]);
        for verdict in ["failed", "unknown"] {
            let proved = r#""data/encryption","verdict":"proved","detail":"""#;
            let other = format!(r#""data/encryption","verdict":"{verdict}","detail":"no key""#);
            let story = Story::read(&EVENTS.replace(proved, &other)).unwrap();
            assert_eq!(story.not_proved, [format!("data/encryption {verdict}: no key")]);
        }
    }

    #[test]
    fn a_run_that_was_cut_off_has_no_story() {
        let cut = EVENTS.lines().take(7).collect::<Vec<_>>().join("\n");
        assert_eq!(Story::read(&cut), None);
    }
}
