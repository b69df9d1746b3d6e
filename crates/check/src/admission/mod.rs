//! Which pods a cluster lets in: for each namespace and each thing that a row of the benchmark wants refused, a
//! pod that does it, judged as the cluster's admission would judge it.
//!
//! Pod Security admission is judged by labels, defaults and exemptions, policies by their expressions. What a
//! webhook says nobody knows here. A pod that nothing refuses is the answer: it is shown. A refusal by a policy
//! counts only where the same pod without its fault is let through, since a policy that refuses both says nothing
//! of the fault.
//!
//! Never here: input or output, a cluster.

mod policy;
mod rules;
mod samples;
mod security;
mod trial;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::judgement::Gap;
use ringfort_policy::Labels;
use serde_json::Value;

use crate::world::Objects;
use policy::{Bound, Hook, Request, Said};
pub(crate) use ringfort_expression::matches;
use rules::Reach;
use samples::{Entry, Sample};
pub(crate) use security::Security;
use security::Way;
pub use trial::{Heard, Trial, Tried};

/// What has a say about which pods are let in, besides Pod Security admission.
#[derive(Debug, Default)]
pub struct Admitting {
    /// Policies, their bindings, and configurations of webhooks.
    pub objects: Vec<Value>,
    /// Why not all of them are known.
    pub unlisted: Vec<Gap>,
}

/// The kinds of what has a say, with their versions.
pub const KINDS: [(&str, &str); 6] = [
    (GROUP, "MutatingAdmissionPolicy"),
    (GROUP, "MutatingAdmissionPolicyBinding"),
    (GROUP, "ValidatingAdmissionPolicy"),
    (GROUP, "ValidatingAdmissionPolicyBinding"),
    (GROUP, "ValidatingWebhookConfiguration"),
    (GROUP, "MutatingWebhookConfiguration"),
];

const GROUP: &str = "admissionregistration.k8s.io/v1";

/// The doors of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    rooms: Vec<Room>,
    policies: Vec<Bound>,
    webhooks: Vec<Hook>,
    params: Vec<Value>,
    unlisted: Option<Gap>,
    /// What policies said, which no machine changes.
    said: RefCell<BTreeMap<Asked, Said>>,
}

/// What a policy was asked: by its number, about what, by whom, and in which namespace where that matters.
type Asked = (usize, Shape, Way, Option<String>);

/// A namespace.
#[derive(Debug)]
pub(crate) struct Room {
    name: String,
    object: Value,
    labels: Labels,
}

/// What becomes of the pods that a row wants refused.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many namespaces there are.
    pub(crate) namespaces: usize,
    /// How many pods were tried in each.
    pub(crate) pods: usize,
    /// The namespaces that let one in.
    pub(crate) open: Vec<Open>,
    /// What is not known.
    pub(crate) gaps: Vec<Gap>,
    /// What refuses them.
    pub(crate) by: BTreeSet<String>,
}

/// A namespace that lets in a pod that a row wants refused.
#[derive(Debug)]
pub(crate) struct Open {
    /// Its name.
    pub(crate) namespace: String,
    /// How the pod comes in.
    pub(crate) how: String,
    /// The first pod that does.
    pub(crate) pod: Value,
    /// Whether whoever may make pods brings it in; otherwise one user does.
    pub(crate) is_for_anybody: bool,
}

/// What becomes of a pod.
enum Answer {
    Refused(String),
    LetIn(Open),
    Unknown(Gap),
}

impl Doors {
    pub(crate) fn of(objects: &Objects<'_>, admitting: &Admitting) -> Self {
        let policies = Bound::all(&admitting.objects);
        let of_kind = |kind: &'static str| objects.iter().filter(move |it| it.kind.name == kind);
        let rooms = of_kind("Namespace").map(|it| Room::of(it.value)).collect();
        let params = match policies.is_empty() {
            true => Vec::new(),
            false => of_kind("ConfigMap").map(|it| it.value.clone()).collect(),
        };
        let unlisted = admitting.unlisted.first().cloned();
        let webhooks = Hook::all(&admitting.objects);
        Self { rooms, policies, webhooks, params, unlisted, said: RefCell::default() }
    }

    /// Tries every pod that a row wants refused in every namespace.
    pub(crate) fn try_row(&self, row: &str, security: &Security) -> Outcome {
        let samples = samples::of_row(row);
        let mut outcome =
            Outcome { namespaces: self.rooms.len(), pods: samples.len(), ..Outcome::default() };
        let asker = Asker { doors: self, security };
        for room in &self.rooms {
            let mut opened = None;
            let mut gap = None;
            for sample in samples {
                match asker.ask(room, sample) {
                    Answer::Refused(by) => {
                        outcome.by.insert(by);
                    }
                    Answer::LetIn(open) => {
                        opened = Some(open);
                        break;
                    }
                    Answer::Unknown(why) => gap = gap.or(Some(why)),
                }
            }
            match opened {
                Some(open) => outcome.open.push(open),
                None => outcome.gaps.extend(gap),
            }
        }
        outcome
    }
}

impl Room {
    fn of(object: &Value) -> Self {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
        let word =
            |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        let mut labels: Labels = labels.filter_map(word).collect();
        // An API server gives it to every namespace.
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
        let mut object = object.clone();
        object["metadata"]["labels"] = serde_json::to_value(&labels).unwrap_or_default();
        Self { name, object, labels }
    }

    fn request<'a>(&'a self, user: &'a str, entry: Entry) -> Request<'a> {
        Request { namespace: &self.object, labels: &self.labels, user, entry }
    }

    /// Gives a pod as somebody would write it for this namespace.
    fn place(&self, pod: &Value) -> Value {
        let mut pod = pod.clone();
        pod["metadata"]["namespace"] = self.name.as_str().into();
        pod
    }
}

/// Whoever has no rights but to make pods.
const ANYBODY: &str = "somebody";

/// Asks whoever has a say.
struct Asker<'d> {
    doors: &'d Doors,
    security: &'d Security,
}

/// What a policy is shown.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Shape {
    /// A sample, by its number.
    Faulty(usize),
    /// A sample without what whoever makes a pod chooses beside the fault.
    Bare(usize),
    /// The pod without a fault, as it comes on a way.
    Faultless(Entry),
}

/// A sample that is on its way to a namespace.
#[derive(Clone, Copy)]
struct Coming<'a> {
    room: &'a Room,
    sample: &'a Sample,
    way: &'a Way,
}

impl<'a> Coming<'a> {
    fn request(&self) -> Request<'a> {
        self.room.request(self.way.user.as_deref().unwrap_or(ANYBODY), self.sample.entry)
    }
}

impl Asker<'_> {
    /// Asks whether a pod is let in, on every way that leads by Pod Security admission.
    fn ask(&self, room: &Room, sample: &Sample) -> Answer {
        let ways = self.security.ways(&room.name, &room.labels, sample);
        let mut refused = ways.refused.map(Answer::Refused);
        let mut unknown = None;
        for way in ways.open {
            match self.by_others(Coming { room, sample, way: &way }) {
                Answer::Refused(by) => refused = Some(Answer::Refused(by)),
                Answer::Unknown(gap) => unknown = unknown.or(Some(gap)),
                let_in @ Answer::LetIn(_) => return let_in,
            }
        }
        // What may lead past a refusal is no door only where policies refuse as well.
        for (way, gap) in ways.doubtful {
            match self.by_others(Coming { room, sample, way: &way }) {
                Answer::Refused(by) => refused = Some(Answer::Refused(by)),
                Answer::Unknown(_) | Answer::LetIn(_) => unknown = unknown.or(Some(gap)),
            }
        }
        match (unknown, refused) {
            (Some(gap), _) => Answer::Unknown(gap),
            (None, Some(refused)) => refused,
            (None, None) => Answer::Unknown(Gap {
                said: "nothing was asked".to_owned(),
                closes: "facts of every control plane".to_owned(),
            }),
        }
    }

    /// Asks policies and webhooks about a pod that Pod Security admission lets through on a way.
    fn by_others(&self, coming: Coming<'_>) -> Answer {
        let Coming { room, sample, way, .. } = coming;
        let doors = self.doors;
        let mut unsure = None;
        let asks = self.security.asks_policies();
        let asked = |(_, policy): &(usize, &Bound)| {
            policy.is_about(sample.entry) && !matches!(asks, Ok(false))
        };
        for (at, policy) in doors.policies.iter().enumerate().filter(asked) {
            match self.by_policy(at, policy, coming) {
                Ok(true) => {
                    let by = Answer::Refused(policy.name.clone());
                    return asks.map_or_else(Answer::Unknown, |_| by);
                }
                Ok(false) => {}
                Err(why) => unsure = unsure.or_else(|| Some(format!("{} {why}", policy.name))),
            }
        }
        if sample.entry == Entry::Added {
            let added =
                "a container that is added to a pod that runs may be what no new pod may be";
            let said = unsure.unwrap_or_else(|| added.to_owned());
            return Answer::Unknown(Gap {
                said: format!("{}: {said}", room.name),
                closes: format!(
                    "a label of Pod Security on {}, or a policy that looks at ephemeralContainers on UPDATE of \
                     pods/ephemeralcontainers as well",
                    room.name
                ),
            });
        }
        let seen = way.change(&sample.seen);
        let asked = doors.webhooks.iter().find(|it| it.may_be_asked(coming.request(), &seen));
        let webhook =
            asked.map(|it| format!("{} may refuse it, or change it, and is not asked", it.name));
        if let Some(said) = unsure.or(webhook) {
            let closes = format!(
                "a label of Pod Security on {}, or a policy that can be evaluated",
                room.name
            );
            return Answer::Unknown(Gap { said: format!("{}: {said}", room.name), closes });
        }
        if let Some(gap) = &doors.unlisted {
            return Answer::Unknown(gap.clone());
        }
        Answer::LetIn(Open {
            namespace: room.name.clone(),
            how: way.how.clone(),
            pod: room.place(&way.change(&sample.pod)),
            is_for_anybody: way.user.is_none(),
        })
    }

    /// Says whether a policy refuses a pod for its fault.
    ///
    /// # Errors
    /// It may: why that is not known.
    fn by_policy(&self, at: usize, policy: &Bound, coming: Coming<'_>) -> Result<bool, String> {
        let reach =
            policy.reach(&coming.room.labels).map_err(|why| format!("cannot be read: {why}"))?;
        if reach == Reach::Spared {
            return Ok(false);
        }
        let said = self.say(at, Shape::Faulty(coming.sample.number), coming);
        if said.refused.is_empty() {
            return match said.unsure {
                Some(why) => Err(format!("could not be evaluated: {why}")),
                None => Ok(false),
            };
        }
        if reach == Reach::ByLabels {
            return Err("goes by labels of pods, which whoever makes a pod chooses".to_owned());
        }
        let (bare, without) = (
            self.say(at, Shape::Bare(coming.sample.number), coming),
            self.say(at, Shape::Faultless(coming.sample.entry), coming),
        );
        let of_fault: BTreeSet<_> = said.refused.difference(&without.refused).collect();
        if of_fault.is_empty() || without.unsure.is_some() {
            return Err("refuses the same pod without its fault as well, or may".to_owned());
        }
        match of_fault.iter().any(|it| bare.refused.contains(it)) {
            true => Ok(true),
            false => {
                Err("goes by names, labels or images, which whoever makes a pod chooses".to_owned())
            }
        }
    }

    /// Shows a policy a pod.
    fn say(&self, at: usize, shape: Shape, coming: Coming<'_>) -> Said {
        let policy = &self.doors.policies[at];
        let room = policy.is_of_namespace.then(|| coming.room.name.clone());
        let key = (at, shape, Way { how: String::new(), ..coming.way.clone() }, room);
        if let Some(said) = self.doors.said.borrow().get(&key) {
            return said.clone();
        }
        let pod = match shape {
            Shape::Faulty(_) => &coming.sample.seen,
            Shape::Bare(_) => &coming.sample.bare,
            Shape::Faultless(_) => samples::faultless_seen(),
        };
        let said = policy.say(coming.request(), &coming.way.change(pod), &self.doors.params);
        self.doors.said.borrow_mut().insert(key, said.clone());
        said
    }
}

#[cfg(test)]
mod tests;
