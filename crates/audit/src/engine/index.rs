//! Which detections are asked about an event: found by verb and resource, without a look at its body.

use std::collections::BTreeMap;

use crate::caller;
use crate::detection::{Detection, Of, Who};
use crate::event::{Event, Level, Stage};

/// One need of a detection.
#[derive(Clone, Copy, Debug)]
struct Entry {
    group: &'static str,
    verbs: u16,
    stages: u8,
    who: Who,
    reads_body: bool,
    number: u8,
    /// Whether it wants to hear of what failed.
    hears_failures: bool,
}

/// All needs.
#[derive(Debug)]
pub(super) struct Index {
    of_resource: BTreeMap<(&'static str, &'static str), Vec<Entry>>,
    of_any_resource: Vec<Entry>,
    of_anything: Vec<Entry>,
    of_path: Vec<(&'static [&'static str], Entry)>,
}

/// The detections that are asked about an event.
#[derive(Default)]
pub(super) struct Asked {
    /// A bit for each.
    bits: [u64; WORDS],
    /// Whether one of them may read the object.
    pub(super) body: bool,
}

/// How many detections there may be, 64 for each.
const WORDS: usize = 4;

impl Asked {
    fn add(&mut self, number: u8) {
        self.bits[usize::from(number) / 64] |= 1 << (number % 64);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bits == [0; WORDS]
    }

    /// Gives the numbers of the detections, in their order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(word, bits)| {
            let mut rest = *bits;
            std::iter::from_fn(move || {
                let next = rest.trailing_zeros() as usize;
                rest &= rest.wrapping_sub(1);
                (next < 64).then_some(word * 64 + next)
            })
        })
    }
}

impl Index {
    pub(super) fn new(detections: &[&'static Detection]) -> Self {
        let mut index = Self {
            of_resource: BTreeMap::new(),
            of_any_resource: Vec::new(),
            of_anything: Vec::new(),
            of_path: Vec::new(),
        };
        for (number, detection) in detections.iter().enumerate() {
            for need in detection.needs {
                let entry = Entry {
                    group: "",
                    verbs: need.verbs.iter().fold(0, |all, verb| all | bit(verb)),
                    stages: need.stages.iter().fold(0, |all, stage| all | stage_bit(*stage)),
                    who: need.who,
                    reads_body: need.level >= Level::Request,
                    number: u8::try_from(number).expect("there are fewer detections"),
                    hears_failures: detection.judge.hears_failures(),
                };
                let entry =
                    if entry.verbs == 0 { Entry { verbs: u16::MAX, ..entry } } else { entry };
                index.add(need.of, entry);
            }
        }
        index
    }

    fn add(&mut self, of: Of, entry: Entry) {
        match of {
            Of::Resources(all) => {
                for (group, name) in all {
                    let key = name.split_once('/').unwrap_or((name, ""));
                    self.of_resource.entry(key).or_default().push(Entry { group, ..entry });
                }
            }
            Of::AnyResource => self.of_any_resource.push(entry),
            Of::Anything => self.of_anything.push(entry),
            Of::Paths(paths) => self.of_path.push((paths, entry)),
        }
    }

    /// Finds who is asked.
    pub(super) fn asked(&self, event: &Event<'_>, by_component: &mut dyn FnMut() -> bool) -> Asked {
        let mut asked = Asked::default();
        let (verb, stage) = (bit(&event.verb), stage_bit(event.stage));
        let group = event.object_ref.as_ref().map_or("", |of| of.group());
        let failed = event.failed();
        let mut consider = |entry: &Entry, is_of_group: bool| {
            let fits = entry.verbs & verb != 0
                && entry.stages & stage != 0
                && (entry.hears_failures || !failed)
                && is_of_group
                && match entry.who {
                    Who::Anyone => true,
                    Who::Others => !by_component(),
                    Who::Anonymous => caller::is_anonymous(event),
                };
            if fits {
                asked.add(entry.number);
                asked.body |= entry.reads_body;
            }
        };
        let resource = event.resource();
        let is_health = resource.is_empty() && is_health(event.path());
        if resource.is_empty() {
            for (paths, entry) in &self.of_path {
                if paths.iter().any(|path| matches(path, event.path())) {
                    consider(entry, true);
                }
            }
        } else {
            let key = (resource, event.subresource());
            let of_resource: &BTreeMap<(&str, &str), Vec<Entry>> = &self.of_resource;
            // The oldest group has no resource that is called like one of another, so an event that leaves
            // the group out is taken at its word.
            let is_of = |entry: &Entry| group.is_empty() || entry.group == group;
            for entry in of_resource.get(&key).into_iter().flatten() {
                consider(entry, is_of(entry));
            }
            self.of_any_resource.iter().for_each(|entry| consider(entry, true));
        }
        if !is_health {
            self.of_anything.iter().for_each(|entry| consider(entry, true));
        }
        asked
    }
}

/// The paths that anybody may ask about a server's health.
pub(crate) const HEALTH: [&str; 3] = ["/healthz*", "/livez*", "/readyz*"];

/// Whether a path is one of health.
pub(crate) fn is_health(path: &str) -> bool {
    HEALTH.iter().any(|pattern| matches(pattern, path))
}

/// Whether a path fits a pattern, whose star at the end stands for anything.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => path.starts_with(begin),
        None => path == pattern,
    }
}

fn bit(verb: &str) -> u16 {
    match verb {
        "get" => 1,
        "list" => 2,
        "watch" => 4,
        "create" => 8,
        "update" => 16,
        "patch" => 32,
        "delete" => 64,
        "deletecollection" => 128,
        _ => 256,
    }
}

fn stage_bit(stage: Stage) -> u8 {
    match stage {
        Stage::RequestReceived => 1,
        Stage::ResponseStarted => 2,
        Stage::ResponseComplete => 4,
        Stage::Panic => 8,
    }
}
