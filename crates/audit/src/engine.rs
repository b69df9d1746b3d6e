//! Judges events one after the other. A detection is asked about nothing but what it says it needs, so what
//! the policy is compiled from is what the engine gives it.

mod index;
mod known;
mod objects;
mod usual;

use std::sync::Arc;

use ringfort_model::severity::Severity;

use self::index::Index;
pub(crate) use self::index::{HEALTH, matches};
use self::known::{Given, State, Table};
use self::objects::{Objects, is_form};
use crate::across::{Order, Whose, beside};
use crate::detection::{Detection, Judge};
use crate::event::{Event, Level, Stage};
use crate::fault::Why;
use crate::feeds::Feeds;
use crate::finding::Finding;
use crate::node::Node;
use crate::policy;
use crate::scene::{Basis, Scene, number};

/// Judges events, and remembers what it needs of those before: within bounds, whatever comes.
#[derive(Debug)]
pub struct Engine {
    detections: Vec<&'static Detection>,
    feeds: Arc<Feeds>,
    index: Index,
    states: Vec<State>,
    objects: Objects,
    /// Requests that were judged when their answers began.
    begun: Table,
    given: Given,
    order: Order,
    starved: u64,
}

impl Engine {
    /// Begins, with the detections that are asked.
    pub fn new(detections: &[&'static Detection]) -> Self {
        Self::fed(detections, Feeds::default())
    }

    /// Begins, with the detections that are asked and what they are told beside events.
    pub fn fed(detections: &[&'static Detection], feeds: impl Into<Arc<Feeds>>) -> Self {
        let feeds = feeds.into();
        let states =
            detections.iter().map(|detection| State::new(&detection.judge, &feeds)).collect();
        Self {
            detections: detections.to_vec(),
            feeds,
            index: Index::new(detections),
            states,
            objects: Objects::default(),
            begun: Table::new(BEGUN),
            given: Given::default(),
            order: Order::default(),
            starved: 0,
        }
    }

    /// Judges an event, and adds what was found. Says what of it could not be judged.
    pub fn judge(&mut self, event: &Event<'_>, found: &mut Vec<Finding>) -> Option<Why> {
        if self.is_judged_already(event) {
            return None;
        }
        let asked = self.index.asked(event);
        if asked.is_empty() {
            return None;
        }
        let resulting = match asked.body {
            true => self.objects.resulting(event),
            false => objects::Resulting::default(),
        };
        let before = asked.body.then(|| self.objects.before(event).cloned()).flatten();
        let scene = Scene::new(event, &self.feeds, resulting.texts(), before);
        let (failed, dry) = (event.failed(), is_dry(event));
        let is_starved = asked.body && !failed && !dry && lacks_bodies(event);
        self.starved += u64::from(is_starved);
        let (mut broken, timeless) = (None, self.given.timeless);
        for number in asked.numbers() {
            let detection = self.detections[number];
            scene.asked.set(false);
            self.given.rests_on = Whose::Own;
            let said = match &detection.judge {
                judge if self.order == Order::Behind && !judge.goes_by_time() => None,
                judge if (failed || dry) && !judge.hears_failures() => None,
                Judge::Each(judge) => judge(&scene),
                Judge::Own(_) if dry => None,
                // What an expression says of an error may hold what it read.
                Judge::Own(own) => own.judge(&scene, failed).unwrap_or_else(|_| {
                    broken = Some(Why::Expression { detection: detection.id });
                    None
                }),
                judge => self.states[number].judge(judge, &scene, &mut self.given),
            };
            if let Some(said) = said {
                let mut finding = Finding::new(detection, event, &said, scene.rests());
                if self.given.rests_on == Whose::Another {
                    beside(&mut finding);
                }
                found.push(finding);
            }
        }
        // However many wanted its time, it is one event.
        self.given.timeless = self.given.timeless.min(timeless + 1);
        let fault = scene.fault().map(|why| Why::Body(Box::new(why)));
        let misfit = resulting.misfit.then_some(Why::Patch);
        if asked.body && !failed && !dry && self.order == Order::InTime {
            let kept = scene.stored();
            self.objects.keep(event, kept);
        }
        fault.or(misfit).or(broken)
    }

    /// Says whose the events are that are judged from now on, together with others', and how they come.
    pub(crate) fn reads(&mut self, whose: Whose, order: Order) {
        (self.given.whose, self.order) = (Some(whose), order);
    }

    /// Whether a detection is asked about an event.
    pub(crate) fn hears(&self, event: &Event<'_>) -> bool {
        !self.index.asked(event).is_empty()
    }

    /// How many events lacked the bodies that detections asked for, so that these could not judge them. Bodies
    /// that hold secrets do not count: no policy of ours writes them down.
    pub fn starved(&self) -> u64 {
        self.starved
    }

    /// How many events had no time that can be read, so that what takes many of them, or one after another, could
    /// not be judged.
    pub fn timeless(&self) -> u64 {
        self.given.timeless
    }

    /// How often something was forgotten since there was no room for it.
    pub fn forgotten(&self) -> u64 {
        self.given.up + self.objects.forgotten()
    }

    /// A request whose answer goes on has two events that say the same. They are told to be of one request
    /// by what the server wrote, not by the name that its sender may choose.
    fn is_judged_already(&mut self, event: &Event<'_>) -> bool {
        let goes_on = event.response_status.code == 101
            || &*event.verb == "watch"
            || !event.subresource().is_empty();
        if !goes_on || event.stage == Stage::RequestReceived || event.time().is_empty() {
            return false;
        }
        let request = number(&[
            &event.audit_id,
            &event.request_uri,
            &event.user.username,
            &event.request_received_timestamp,
        ]);
        match event.stage {
            Stage::ResponseStarted => {
                self.begun.swap(request, 1);
                false
            }
            _ => self.begun.take(request),
        }
    }
}

/// Whether bodies that belong to an event were not written down. A deletion need not have any, and those that hold
/// secrets no policy of ours writes.
fn lacks_bodies(event: &Event<'_>) -> bool {
    let may_have_none = matches!(&*event.verb, "delete" | "deletecollection");
    event.request_object.is_none()
        && event.response_object.is_none_or(|answer| is_form(answer.get()))
        && !policy::is_capped(event)
        && !(may_have_none && event.level >= Level::Request)
}

/// How many requests are remembered whose answers go on.
const BEGUN: usize = 1 << 12;

/// Whether nothing is stored. Only writes of whole objects are asked so; elsewhere the server does not
/// listen to the word. Of a deletion it listens to the address only where no body came, and a body need not have been
/// written down: then the deletion counts.
fn is_dry(event: &Event<'_>) -> bool {
    if !event.subresource().is_empty() {
        return false;
    }
    match &*event.verb {
        "create" | "update" | "patch" => {
            let query = event.request_uri.split_once('?').map_or("", |(_, query)| query);
            query.split('&').any(|part| part == "dryRun=All")
        }
        "delete" | "deletecollection" => event.request_object.is_some_and(|options| {
            let options = serde_json::from_str::<Node<'_>>(options.get());
            options.is_ok_and(|it| it.at("dryRun").texts().any(|which| which == "All"))
        }),
        _ => false,
    }
}

/// Everything that one file or one server brings, judged line after line.
#[derive(Debug)]
pub struct Told {
    /// What was found.
    pub finding: Finding,
    /// How often the same was found.
    pub times: u64,
    /// Where it was found first.
    pub place: crate::lines::Place,
    /// In which of the logs.
    pub log: usize,
}

/// Gives what was found with repeats put together: the same detection, by the same user, on the same
/// object, with the same words.
pub fn grouped(
    found: impl IntoIterator<Item = (usize, crate::lines::Place, Finding)>,
) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut known = std::collections::BTreeMap::new();
    for (log, place, finding) in found {
        let key = number(&[
            &finding.detection,
            &finding.user,
            finding.impersonated.as_deref().unwrap_or_default(),
            &finding.object,
            &finding.said,
        ]);
        match known.get(&key) {
            Some(at) => {
                let one: &mut Told = &mut told[*at];
                one.times += 1;
            }
            None => {
                known.insert(key, told.len());
                told.push(Told { finding, times: 1, place, log });
            }
        }
    }
    told
}

/// Gives the gravest of what was found.
pub fn gravest(told: &[Told]) -> Option<Severity> {
    told.iter().map(|one| one.finding.severity).max()
}

impl Basis {
    /// Whether the object is known afterwards.
    pub(crate) fn is_whole(self) -> bool {
        self != Self::Patch
    }
}
