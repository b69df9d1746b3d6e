//! What evidence is refused for: each in a case, over evidence that is good.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_controls::audit::findings_are_told::CONTROL;
use ringfort_controls::{Phase, Scene, find, proved};
use ringfort_model::act::{Act, Next, Seen, ToldSeen};
use ringfort_model::digest::Digest;
use ringfort_model::name::NodeName;
use ringfort_model::receiver::Recipient;
use ringfort_prove::archive::Files;
use serde_json::{Value, json};

use super::{About, LOCK, Maker, Row, SPEC, Verdict, facts_file, judged, of_machines, people};
use super::{program, proof_file, scene_file};

const TEXT: &str = "\
apiVersion: ringfort.dev/v1
kind: Cluster
name: harbour
kubernetes: \"1.37\"
controlPlanes:
  - { address: 10.0.0.11, name: cp1 }
  - { address: 10.0.0.12, name: cp2 }
  - { address: 10.0.0.13, name: cp3 }
workers:
  - { address: 10.0.0.21, name: w1 }
  - { address: 10.0.0.22, name: w2 }
  - { address: 10.0.0.23, name: w3 }
ssh: { user: root }
audit: { tell: { machineLog: true, metrics: true } }
";

const TOLD: [Recipient; 2] = [Recipient::MachineLog, Recipient::Metrics];

/// Evidence of one proof: what is stated of it, what was kept, and what lies beside it.
struct Kept {
    control: &'static str,
    stated: &'static str,
    scene: Scene,
    shown: Value,
    text: String,
    lock: &'static str,
    maker: Maker,
}

impl Kept {
    /// A proof that was made for these who are told, and passed for all of them.
    fn of(told: &[Recipient]) -> Self {
        let told: BTreeSet<Recipient> = told.iter().copied().collect();
        let scene = Scene { told: told.clone(), ..Scene::sample() };
        let proof = find(CONTROL.id).unwrap().prove.unwrap();
        let mut transcript = Vec::new();
        let judgement = loop {
            match (proof.next)(&scene, &transcript) {
                Next::Done(judgement) => break judgement,
                Next::Do(acts) => transcript.extend(acts.into_iter().map(|act| {
                    let seen = match &act {
                        Act::Told { to, .. } => {
                            Seen::Told(ToldSeen { has: to.clone(), ..ToldSeen::default() })
                        }
                        _ => Seen::Object(json!({})),
                    };
                    (act, seen)
                })),
            }
        };
        let times: Vec<(u64, u64)> = transcript.iter().map(|_| (0, 1)).collect();
        let shown = json!({
            "at_s": 0, "scene": null, "judgement": judgement, "transcript": transcript,
            "times_ms": times,
            "of": {"kubernetes": "v1.37.2", "bundle": Digest::of(b"lock"), "control_planes": {}},
        });
        let stated = if told.is_empty() { "not applicable" } else { "proved" };
        let (text, lock, maker) = (TEXT.to_owned(), "lock", Maker::This);
        Self { control: CONTROL.id, stated, scene, shown, text, lock, maker }
    }

    fn good() -> Self {
        Self::of(&TOLD)
    }

    fn row(mut self) -> Row {
        let digest = Digest::of(b"scene");
        self.shown["scene"] = json!(digest);
        let files: Files = [
            (SPEC.to_owned(), self.text.into_bytes()),
            (LOCK.to_owned(), self.lock.as_bytes().to_vec()),
            (proof_file(self.control), serde_json::to_vec(&self.shown).unwrap()),
            (scene_file(&digest), serde_json::to_vec(&self.scene).unwrap()),
        ]
        .into();
        let about = About::read(&files, self.maker).unwrap();
        judged(self.control, &self.stated.into(), &files, &about).unwrap()
    }
}

fn named(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// What is done to evidence that was right.
type Harm = fn(&mut Kept);

#[test]
fn evidence_is_refused_for_whatever_of_it_is_not_so() {
    assert_eq!(Kept::good().row().differs, None);
    let moved = |name: &str, last: u8| {
        let mut kept = Kept::good();
        kept.scene.addresses.insert(named(name), [10, 0, 0, last].into());
        kept
    };
    let cases: [(&str, &str, Harm); 11] = [
        ("another verdict is stated", "the statement says", |kept| kept.stated = "failed"),
        ("an act has no time", "times of", |kept| {
            kept.shown["times_ms"].as_array_mut().unwrap().pop();
        }),
        ("a control that is none", "has no such proof", |kept| kept.control = "access/nothing"),
        ("an act is left out", "it ends before act", |kept| {
            kept.shown["transcript"].as_array_mut().unwrap().pop();
            kept.shown["times_ms"].as_array_mut().unwrap().pop();
        }),
        ("an act is another", "is not what the proof asks for", |kept| {
            kept.shown["transcript"][0][0] = json!({"wait": {"ms": 1}});
        }),
        ("a failure that was none", "judged again it comes to", |kept| {
            kept.stated = "failed";
            kept.shown["judgement"] = json!({"Ok": {"fail": {"said": "open", "fix": "shut"}}});
        }),
        ("other words of the same verdict", "judged again it comes to", |kept| {
            kept.shown["judgement"]["Ok"]["pass"]["said"] = json!("everything is fine");
        }),
        ("a control plane is elsewhere", "other control planes", |kept| {
            kept.text = kept.text.replace("10.0.0.13", "10.0.0.14");
        }),
        ("a worker is elsewhere", "other machines", |kept| {
            kept.text = kept.text.replace("10.0.0.23", "10.0.0.24");
        }),
        ("another bundle", "another bundle", |kept| kept.lock = "another lock"),
        ("others are told", "others who are told", |kept| {
            kept.text = kept.text.replace(", metrics: true", "");
        }),
    ];
    for (what, words, change) in cases {
        let mut kept = Kept::good();
        change(&mut kept);
        let differs = kept.row().differs.unwrap_or_default();
        assert!(differs.contains(words), "{what}: {differs}");
    }
    let differs = moved("cp2", 99).row().differs.unwrap_or_default();
    assert!(differs.contains("other control planes"), "{differs}");
    let differs = moved("w2", 99).row().differs.unwrap_or_default();
    assert!(differs.contains("other machines"), "{differs}");
}

/// What was changed and what another program made are told apart.
#[test]
fn evidence_of_a_proof_that_has_changed_since_names_who_verifies_it() {
    let differs = |maker: Maker, harm: Harm| {
        let mut kept = Kept { maker, ..Kept::good() };
        harm(&mut kept);
        kept.row().differs
    };
    let act: Harm = |kept| kept.shown["transcript"][0][0] = json!({"wait": {"ms": 1}});
    let words: Harm = |kept| kept.shown["judgement"]["Ok"]["pass"]["said"] = json!("all is well");
    let out = "verify it with the ringfort that made it";
    for harm in [act, words] {
        assert!(differs(Maker::Another, harm).unwrap().ends_with(out));
        assert!(!differs(Maker::This, harm).unwrap().contains(out));
    }
    assert_eq!(differs(Maker::Another, |_| {}), None);
    // What no program does otherwise is no program's fault.
    assert!(!differs(Maker::Another, |kept| kept.stated = "failed").unwrap().contains(out));
    assert_eq!(Maker::of(&json!({"program": program()})), Maker::This);
    for other in [json!({}), json!({"program": "another"}), json!({"ringfort": "0.1.0"})] {
        assert_eq!(Maker::of(&other), Maker::Another, "{other}");
    }
}

#[test]
fn what_was_proved_for_others_than_the_specification_names_is_refused() {
    use Recipient::{MachineLog, Metrics, Webhook};
    for others in [&[][..], &[MachineLog], &[MachineLog, Webhook], &[MachineLog, Metrics, Webhook]]
    {
        let differs = Kept::of(others).row().differs.unwrap_or_default();
        assert!(differs.contains("others who are told"), "{others:?}: {differs}");
    }
}

/// Whoever adds a worker need not stop a control plane again.
#[test]
fn what_stops_control_planes_is_about_those_alone() {
    let files: Files =
        [(SPEC.to_owned(), TEXT.as_bytes().to_vec()), (LOCK.to_owned(), b"lock".to_vec())].into();
    let about = About::read(&files, Maker::This).unwrap();
    let strays = |phase, scene: &Scene| {
        about.strays("ha/survives-control-plane", phase, &Digest::of(b"lock"), scene)
    };
    let sample = Scene::sample();
    let fewer = Scene { workers: sample.workers[..2].to_vec(), ..Scene::sample() };
    for phase in [Phase::Ground, Phase::Gentle, Phase::Disruptive, Phase::Asked] {
        assert_eq!(strays(phase, &sample), None, "{phase:?}");
        assert_eq!(strays(phase, &fewer).is_none(), phase == Phase::Disruptive, "{phase:?}");
    }
}

#[test]
fn whatever_a_kubeconfig_waits_for_is_missed() {
    let about = |text: String| {
        let files: Files =
            [(SPEC.to_owned(), text.into_bytes()), (LOCK.to_owned(), b"lock".to_vec())].into();
        About::read(&files, Maker::This).unwrap()
    };
    let plain = about(TEXT.to_owned());
    let required = proved().into_iter().filter(|(_, proof)| proof.phase != Phase::Asked);
    let required: Vec<&str> = required.map(|(control, _)| control.id).collect();
    assert_eq!(plain.missing(&[]), required);
    let row = Kept::good().row();
    assert_eq!(plain.missing(&[row]).len(), required.len() - 1);
    for expires in ["2020-01-01", "2999-01-01"] {
        let waiver = format!(
            "waivers:\n  - control: network/default-deny\n    reason: a test of it\n    owner: somebody\n    expires: {expires}\n"
        );
        let missing = about(format!("{TEXT}{waiver}")).missing(&[]);
        assert_eq!(missing.len(), required.len() - 1, "{expires}: {missing:?}");
    }
}

#[test]
fn facts_of_a_machine_are_refused_for_whatever_of_them_is_not_so() {
    let files: Files =
        [(SPEC.to_owned(), TEXT.as_bytes().to_vec()), (LOCK.to_owned(), b"lock".to_vec())].into();
    let spec = About::read(&files, Maker::This).unwrap().spec;
    let check = |stated: Value, facts: Option<&str>, words: &str| {
        let statement = json!({"machines": {"cp1": stated}});
        let facts = facts.map(|text| (facts_file("cp1"), text.as_bytes().to_vec()));
        let rows = of_machines(&statement, &facts.into_iter().collect(), &spec);
        assert_eq!(rows.len(), 6);
        let row = rows.into_iter().find(|row| row.machine == "cp1").unwrap();
        let differs = row.differs.unwrap_or_default();
        assert!(differs.contains(words) && differs.is_empty() == words.is_empty(), "{differs}");
    };
    check(json!({"unknown": "silent"}), None, "");
    check(json!({"unknown": "silent"}), Some("{}"), "facts that the statement does not know");
    check(json!({"rows": {}}), None, "holds no facts of it");
    check(Value::Null, None, "holds no facts of it");
    check(json!({"rows": {}}), Some("no facts"), "cannot be read");
}

#[test]
fn rows_of_a_machine_are_compared_each() {
    let again: BTreeMap<&str, String> =
        [("1.1.1", "proved"), ("1.1.2", "failed")].map(|(id, is)| (id, is.to_owned())).into();
    let check = |stated: Value, expected: Option<&str>| {
        assert_eq!(super::other_rows(&stated, &again).as_deref(), expected, "{stated}");
    };
    check(json!({"1.1.1": "proved", "1.1.2": "failed"}), None);
    check(Value::Null, Some("the statement says nothing of it"));
    let other = "row 1.1.2 is failed; the statement says proved";
    check(json!({"1.1.1": "proved", "1.1.2": "proved"}), Some(other));
    let none = "row 1.1.2 is failed; the statement says nothing";
    check(json!({"1.1.1": "proved"}), Some(none));
    let more = json!({"1.1.1": "proved", "1.1.2": "failed", "1.1.3": "proved"});
    check(more, Some("this ringfort has no row 1.1.3"));
}

#[test]
fn people_are_told_when_a_proof_was_made_and_whether_it_still_counts() {
    let made = |days_ago: i64| {
        let at = super::now_s() - days_ago * 86_400;
        let mut kept = Kept::good();
        kept.shown["at_s"] = json!(at);
        kept.row()
    };
    assert!(!made(0).old && made(2).old && made(-2).old);
    let row = Row { at: 1_700_000_000, ..made(2) };
    assert_eq!(row.verdict, Verdict::Proved);
    let page = people(&json!({"cluster": "harbour"}), &[row], &[]);
    assert!(page.contains("2023-11-14T22:13:20Z"), "{page}");
    assert!(page.contains("1 of them were not made in the time"), "{page}");
    assert!(!people(&json!({}), &[made(0)], &[]).contains("in the time"));
}

/// Evidence that was made before there were such rows stays what it is.
#[test]
fn rows_beyond_the_benchmark_are_compared_where_the_statement_has_any() {
    let again: BTreeMap<&str, String> = [
        ("1.1.1", "proved"),
        ("node/kernel-settings", "failed"),
        ("node/components-drop-rights", "proved"),
    ]
    .map(|(id, is)| (id, is.to_owned()))
    .into();
    let check = |stated: Value, expected: Option<&str>| {
        assert_eq!(super::other_rows(&stated, &again).as_deref(), expected, "{stated}");
    };
    check(json!({"1.1.1": "proved"}), None);
    let none = "row node/kernel-settings is failed; the statement says nothing";
    check(json!({"1.1.1": "proved", "node/components-drop-rights": "proved"}), Some(none));
    let gone = json!({
        "1.1.1": "proved", "node/components-drop-rights": "proved", "node/kernel-settings": "failed",
        "node/gone": "proved",
    });
    check(gone, Some("this ringfort has no row node/gone"));
}
