//! What the gate of `ringfort up` has shown, as it is kept: until it is too old, or no longer about
//! the cluster as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use ringfort_controls::{Phase, Scene, find, phase_of};
use ringfort_model::act::{Act, Seen};
use ringfort_model::bundle::BundleLock;
use ringfort_model::digest::Digest;
use ringfort_model::judgement::{Decided, Judgement, Verdict};
use ringfort_model::machine::MachineFacts;
use ringfort_model::name::NodeName;
use ringfort_model::trust::{ServiceAccountKey, TrustFacts};
use ringfort_model::version::Minor;
use ringfort_pki::{KeyError, PrivateKey};
use ringfort_prove::archive::{self, Files};
use ringfort_prove::drive::{Made, replay};
use ringfort_spec::{Node, Spec};

use super::decision::{Known, Of, Part, part};
use super::itself::program;
use super::machines::verdicts;
use super::session::now_s;

/// What is proved anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fresh {
    /// What was never proved, or too long ago.
    Stale,
    /// That, and all that disturbs nobody.
    Gentle,
    /// All that disturbs nobody, and nothing else.
    Undisturbing,
    /// Everything.
    Everything,
}

/// A file that is there from a run's first change until all that disturbs nobody was proved again,
/// whatever became of that run.
pub struct Unproved(PathBuf);

impl Unproved {
    /// Names the file in the operator's state.
    pub fn within(directory: &Path) -> Self {
        Self(directory.join("unproved"))
    }

    /// Says that something was changed.
    pub fn mark(&self) {
        // Where it cannot be written, neither can the evidence that it would be about.
        if !self.0.exists() {
            let _ = std::fs::write(&self.0, "changed since the last proofs\n");
        }
    }

    /// Says what is proved anew.
    pub fn fresh(&self) -> Fresh {
        if self.0.exists() { Fresh::Gentle } else { Fresh::Stale }
    }

    /// Says that everything was looked at again.
    pub fn clear(&self) {
        // What stays is only proved once more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Evidence of the gate, as it is kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Evidence {
    version: u32,
    /// Key id of the cluster's authority: a cluster made anew has another.
    authority: String,
    /// What was known of the cluster before proofs looked, by its digest.
    pub scenes: BTreeMap<Digest, Scene>,
    /// What was shown of each control.
    pub controls: BTreeMap<String, Shown>,
}

/// What was shown of one control, as it is kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Shown {
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// Digest of what was known before, among the scenes.
    pub scene: Digest,
    /// Of what.
    pub of: Setting,
    /// What is said of the control.
    pub judgement: Judgement,
    /// What that rests on.
    pub transcript: Vec<(Act, Seen)>,
    /// When each act began and ended, in milliseconds since the proof did.
    pub times_ms: Vec<(u64, u64)>,
}

/// What a proof that stops control planes is about: another machine or another program may fail where
/// the one before did not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Setting {
    /// The version of Kubernetes.
    pub kubernetes: String,
    /// The digest of the bundle's lock.
    pub bundle: Digest,
    /// Each control plane, by what tells it from another of its name: its address, and the key that
    /// was made on it.
    pub control_planes: BTreeMap<NodeName, String>,
}

impl Setting {
    /// Takes down what there is now.
    pub fn of(spec: &Spec, lock: &BundleLock, trust: &TrustFacts) -> Self {
        let own_key = |name: &NodeName| {
            let is_own = |key: &ServiceAccountKey| key.node == *name && key.retired.is_none();
            let keys = &trust.service_account_keys;
            keys.iter()
                .find(|(_, key)| is_own(key))
                .map_or_else(String::new, |(id, _)| id.to_string())
        };
        let plane =
            |node: &Node| (node.name.clone(), format!("{} {}", node.address, own_key(&node.name)));
        Self {
            kubernetes: lock.kubernetes.to_string(),
            bundle: Digest::of(lock.render().as_bytes()),
            control_planes: spec.control_planes().map(plane).collect(),
        }
    }
}

/// What there is now.
pub struct Now<'a> {
    /// What proofs that stop control planes are about.
    pub setting: &'a Setting,
    /// Where each machine is.
    pub machines: &'a BTreeMap<NodeName, IpAddr>,
    /// The time, in seconds since 1970.
    pub s: i64,
}

/// What an archive is about.
pub struct About<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The release of Kubernetes.
    pub kubernetes: String,
    /// The specification, as it is written.
    pub spec: &'a [u8],
    /// The bundle's lock, as it is written.
    pub lock: String,
    /// The minor of Kubernetes, by which facts are judged.
    pub minor: Minor,
    /// The facts of each machine, taken when the archive is made; none where one said nothing, and why.
    pub machines: &'a BTreeMap<NodeName, Result<MachineFacts, String>>,
}

/// The archive and the public key of its signature, in the operator's state.
pub const ARCHIVE: &str = "evidence.tar";
pub const PUBLIC_KEY: &str = "evidence.pub";
/// Files of the archive.
pub const SPEC: &str = "cluster.yaml";
pub const LOCK: &str = "bundle.lock";

/// Names the file of a proof in the archive.
pub fn proof_file(control: &str) -> String {
    format!("proofs/{control}.json")
}

/// Names the file of a scene in the archive.
pub fn scene_file(digest: &Digest) -> String {
    format!("scenes/{}.json", digest.short())
}

/// Names the file of a machine's facts in the archive.
pub fn facts_file(node: &str) -> String {
    format!("machines/{node}.json")
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("evidence has string keys only")
}

const VERSION: u32 = 7;

impl Evidence {
    /// Reads what was kept of the cluster with this authority; nothing, if it is none's that is known
    /// here.
    pub fn read(path: &Path, authority: &str) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let kept: Option<Self> = serde_json::from_str(&text).ok();
        let is_known = |kept: &Self| kept.version == VERSION && kept.authority == authority;
        kept.filter(is_known).unwrap_or_else(|| Self::none(authority))
    }

    /// Lets go of what this program would judge otherwise: an earlier one has proved it, and `ringfort verify` would
    /// believe neither.
    #[must_use]
    pub fn standing(mut self) -> Self {
        let Self { scenes, controls, .. } = &mut self;
        controls.retain(|control, shown| {
            let proof = find(control).and_then(|control| control.prove);
            let again = proof.zip(scenes.get(&shown.scene));
            let again = again.map(|(proof, scene)| replay(&proof, scene, &shown.transcript));
            again.is_some_and(|again| again.as_ref() == Ok(&shown.judgement))
        });
        self
    }

    fn none(authority: &str) -> Self {
        let authority = authority.to_owned();
        Self { version: VERSION, authority, scenes: BTreeMap::new(), controls: BTreeMap::new() }
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string(self).expect("evidence has string keys only");
        let aside = path.with_extension("new");
        std::fs::write(&aside, text)?;
        std::fs::rename(&aside, path)
    }

    /// Takes a proof that was made just now, in the place of the one before.
    pub fn take(&mut self, made: Made, scene: &Scene, of: &Setting) {
        let digest = Digest::of(&json(scene));
        self.scenes.insert(digest.clone(), scene.clone());
        let Made { control, judgement, transcript, times_ms } = made;
        let (at_s, scene, of) = (now_s(), digest, of.clone());
        let shown = Shown { at_s, scene, of, judgement, transcript, times_ms };
        self.controls.insert(control.to_owned(), shown);
        self.forget_scenes();
    }

    /// Gives everything as one archive, signed.
    ///
    /// # Errors
    /// The key in the keyring is broken.
    pub fn archive(&self, about: &About<'_>, key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
        let mut files = Files::new();
        files.insert(SPEC.to_owned(), about.spec.to_vec());
        files.insert(LOCK.to_owned(), about.lock.as_bytes().to_vec());
        for (digest, scene) in &self.scenes {
            files.insert(scene_file(digest), json(scene));
        }
        let mut controls = serde_json::Map::new();
        for (control, shown) in &self.controls {
            files.insert(proof_file(control), json(shown));
            controls.insert(control.clone(), Verdict::from(&shown.judgement).to_string().into());
        }
        let mut machines = serde_json::Map::new();
        for (node, facts) in about.machines {
            let stated = match facts {
                Ok(facts) => {
                    files.insert(facts_file(node.as_str()), json(facts));
                    serde_json::json!({"rows": verdicts(facts, about.minor)})
                }
                Err(why) => serde_json::json!({"unknown": why}),
            };
            machines.insert(node.to_string(), stated);
        }
        let predicate = serde_json::json!({
            "cluster": about.cluster,
            "kubernetes": about.kubernetes,
            "ringfort": env!("CARGO_PKG_VERSION"),
            "program": program(),
            "controls": controls,
            "machines": machines,
        });
        archive::write(&files, &predicate, key)
    }

    /// Gives the controls that were shown to hold.
    pub fn proved(&self) -> BTreeSet<String> {
        let holds = |shown: &Shown| matches!(shown.judgement, Ok(Decided::Pass(_)));
        let proved = self.controls.iter().filter(|(_, shown)| holds(shown));
        proved.map(|(control, _)| control.clone()).collect()
    }

    /// Says what becomes of a proof in a run.
    pub fn part(&self, control: &str, phase: Phase, fresh: Fresh, now: &Now<'_>) -> Part {
        let known = self.controls.get(control).map(|shown| Known {
            verdict: Verdict::from(&shown.judgement),
            age_s: now.s - shown.at_s,
            of: if self.is_of(shown, phase, now) { Of::This } else { Of::Another },
        });
        part(phase, fresh, known)
    }

    /// Says whether something shown is about what there is now. No control plane is stopped again because a worker
    /// came or went.
    fn is_of(&self, shown: &Shown, phase: Phase, now: &Now<'_>) -> bool {
        let scene = self.scenes.get(&shown.scene);
        shown.of == *now.setting
            && (phase == Phase::Disruptive
                || scene.is_some_and(|scene| scene.addresses == *now.machines))
    }

    /// Leaves what others are told: what is required now, and what was asked for and still counts. What was asked
    /// for of other machines or another bundle is about another cluster than the one that lies beside it.
    #[must_use]
    pub fn telling(mut self, is_waived: impl Fn(&str) -> bool, now: &Now<'_>) -> Self {
        let is_told = |control: &str| {
            let counts = |phase| self.part(control, phase, Fresh::Stale, now) == Part::Before;
            phase_of(control).is_some_and(|phase| phase != Phase::Asked || counts(phase))
                && !is_waived(control)
        };
        let told: BTreeSet<String> =
            self.controls.keys().filter(|control| is_told(control)).cloned().collect();
        self.controls.retain(|control, _| told.contains(control));
        self.forget_scenes();
        self
    }

    /// Lets go of scenes that no proof is about any more.
    fn forget_scenes(&mut self) {
        let needed: BTreeSet<&Digest> = self.controls.values().map(|shown| &shown.scene).collect();
        self.scenes.retain(|digest, _| needed.contains(digest));
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::judgement::{Decided, Evidence as Ground, Judgement};
    use ringfort_model::name::NodeName;

    use super::{
        BTreeMap, Digest, Evidence, Fresh, IpAddr, Made, Now, Part, Phase, Scene, Setting,
        Unproved, find, replay,
    };

    const DAY_S: i64 = 24 * 3_600;

    #[test]
    fn a_change_is_proved_by_whichever_run_comes_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let of_run = || Unproved::within(directory.path());
        assert_eq!(of_run().fresh(), Fresh::Stale);
        of_run().mark();
        of_run().mark();
        assert_eq!(of_run().fresh(), Fresh::Gentle);
        of_run().clear();
        assert_eq!(of_run().fresh(), Fresh::Stale);
    }

    const GENTLE: &str = "access/pod-security";
    const DISRUPTIVE: &str = "ha/survives-control-plane";
    const ASKED: &str = "ha/three-workers";
    const NOW_S: i64 = 1_000 * DAY_S;

    fn setting(kubernetes: &str, bundle: &str, planes: &[(&str, &str)]) -> Setting {
        let plane = |(name, key): &(&str, &str)| (NodeName::new(*name).unwrap(), key.to_string());
        Setting {
            kubernetes: kubernetes.to_owned(),
            bundle: Digest::of(bundle.as_bytes()),
            control_planes: planes.iter().map(plane).collect(),
        }
    }

    fn now() -> Setting {
        setting("v1.37.2", "lock", &[("cp1", "a"), ("cp2", "b"), ("cp3", "c")])
    }

    fn passed() -> Judgement {
        Ok(Decided::Pass(Ground::from_seen("seen", vec![0]).unwrap()))
    }

    fn shown(age_days: i64, judgement: &Judgement) -> Evidence {
        let at_s = NOW_S - age_days * DAY_S;
        let mut evidence = Evidence::none("a");
        for control in [GENTLE, DISRUPTIVE, ASKED] {
            let (judgement, transcript, times_ms) = (judgement.clone(), Vec::new(), Vec::new());
            let made = Made { control, judgement, transcript, times_ms };
            evidence.take(made, &Scene::sample(), &now());
            evidence.controls.get_mut(control).unwrap().at_s = at_s;
        }
        evidence
    }

    /// Says what becomes of the gentle proof, the disruptive one and the one that is asked for.
    fn parts(evidence: &Evidence, setting: &Setting) -> [Part; 3] {
        parts_of(evidence, setting, &Scene::sample().addresses)
    }

    fn parts_of(
        evidence: &Evidence,
        setting: &Setting,
        machines: &BTreeMap<NodeName, IpAddr>,
    ) -> [Part; 3] {
        let now = Now { setting, machines, s: NOW_S };
        [(GENTLE, Phase::Gentle), (DISRUPTIVE, Phase::Disruptive), (ASKED, Phase::Asked)]
            .map(|(control, phase)| evidence.part(control, phase, Fresh::Stale, &now))
    }

    #[test]
    fn another_machine_version_or_bundle_is_shown_to_survive_anew() {
        let planes = [("cp1", "a"), ("cp2", "b"), ("cp3", "c")];
        let evidence = shown(0, &passed());
        assert_eq!(parts(&evidence, &now()), [Part::Before; 3]);
        assert_eq!(parts(&shown(2, &passed()), &now())[0], Part::Due);
        for other in [
            setting("v1.37.3", "lock", &planes),
            setting("v1.37.2", "another", &planes),
            setting("v1.37.2", "lock", &[("cp1", "a"), ("cp2", "b"), ("cp4", "d")]),
            setting("v1.37.2", "lock", &[("cp1", "a"), ("cp2", "b"), ("cp3", "made anew")]),
        ] {
            assert_eq!(
                parts(&evidence, &other),
                [Part::Due, Part::Due, Part::Unasked(None)],
                "{other:?}"
            );
        }
        let mut machines = Scene::sample().addresses;
        machines.insert(NodeName::new("w9").unwrap(), [10, 0, 0, 99].into());
        let parts = parts_of(&evidence, &now(), &machines);
        assert_eq!(parts, [Part::Due, Part::Before, Part::Unasked(None)]);
    }

    #[test]
    fn what_is_waived_or_no_longer_asked_for_is_told_nobody() {
        let told = |setting: &Setting, waived: &str| {
            let machines = Scene::sample().addresses;
            let now = Now { setting, machines: &machines, s: NOW_S };
            let told = shown(0, &passed()).telling(|control| control == waived, &now);
            assert_eq!(told.controls.is_empty(), told.scenes.is_empty());
            told.proved().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(told(&now(), ""), [GENTLE, DISRUPTIVE, ASKED]);
        let other = setting("v1.37.3", "lock", &[("cp1", "a")]);
        assert_eq!(told(&other, ""), [GENTLE, DISRUPTIVE]);
        assert_eq!(told(&now(), ASKED), [GENTLE, DISRUPTIVE]);
        assert_eq!(told(&now(), GENTLE), [DISRUPTIVE, ASKED]);
    }

    #[test]
    fn what_is_kept_is_read_again_by_its_own_version_and_cluster_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("evidence.json");
        let evidence = shown(0, &passed());
        evidence.write(&path).unwrap();
        assert_eq!(Evidence::read(&path, "a"), evidence);
        assert!(Evidence::read(&path, "b").controls.is_empty());
        Evidence { version: 1, ..evidence }.write(&path).unwrap();
        assert!(Evidence::read(&path, "a").controls.is_empty());
        assert!(Evidence::read(&directory.path().join("none"), "a").controls.is_empty());
    }

    #[test]
    fn what_this_program_judges_otherwise_is_proved_anew() {
        let (control, scene) = ("audit/findings-are-told", Scene::sample());
        let scene = Scene { told: std::collections::BTreeSet::new(), ..scene };
        let proof = find(control).and_then(|control| control.prove).unwrap();
        let judgement = replay(&proof, &scene, &[]).unwrap();
        for (judgement, stands) in [(judgement, true), (passed(), false)] {
            let mut evidence = shown(0, &passed());
            let (transcript, times_ms) = (Vec::new(), Vec::new());
            let made = Made { control, judgement, transcript, times_ms };
            evidence.take(made, &scene, &now());
            let left: Vec<String> = evidence.standing().controls.into_keys().collect();
            assert_eq!(left, if stands { vec![control.to_owned()] } else { Vec::new() });
        }
    }
}
