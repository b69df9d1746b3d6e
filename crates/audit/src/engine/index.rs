//! Which detections are asked about an event: found by verb and resource, without a look at its body.

use std::collections::BTreeMap;

use crate::caller;
use crate::detection::{Detection, Need, Of, Who};
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

impl Entry {
    fn fits(&self, kind: Kind) -> bool {
        self.verbs & (1 << kind.verb) != 0
            && self.stages & (1 << kind.stage) != 0
            && (self.hears_failures || !kind.failed)
            && match self.who {
                Who::Anyone => true,
                Who::Others => !kind.by_component,
                Who::Anonymous => kind.is_anonymous,
            }
    }
}

/// What of a request decides who is asked, whatever it is about.
#[derive(Clone, Copy, Debug)]
struct Kind {
    verb: usize,
    stage: usize,
    failed: bool,
    by_component: bool,
    is_anonymous: bool,
}

/// How many kinds of requests there are.
const KINDS: usize = VERBS * STAGES * 8;

impl Kind {
    fn of(event: &Event<'_>) -> Self {
        Self {
            verb: verb(&event.verb),
            stage: stage(event.stage),
            failed: event.failed(),
            by_component: caller::is_component(&event.user),
            is_anonymous: caller::is_anonymous(event),
        }
    }

    /// Gives each, by its number.
    fn all() -> impl Iterator<Item = Self> {
        (0..KINDS).map(|number| Self {
            verb: number / 8 / STAGES,
            stage: number / 8 % STAGES,
            failed: number & 4 != 0,
            by_component: number & 2 != 0,
            is_anonymous: number & 1 != 0,
        })
    }

    fn number(self) -> usize {
        let flags = [(self.failed, 4), (self.by_component, 2), (self.is_anonymous, 1)];
        let flags: usize = flags.iter().map(|(is, bit)| usize::from(*is) * bit).sum();
        (self.verb * STAGES + self.stage) * 8 + flags
    }
}

/// All needs.
#[derive(Debug)]
pub(super) struct Index {
    of_resource: BTreeMap<(&'static str, &'static str), Vec<Entry>>,
    of_path: Vec<(&'static [&'static str], Entry)>,
    /// Who is asked about every object, by the kind of the request: most are asked so, and found at once.
    of_any_resource: Vec<Asked>,
    /// The same of anything.
    of_anything: Vec<Asked>,
}

/// The detections that are asked about an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// A bit for each.
    bits: [u64; WORDS],
    /// Whether one of them may read the object.
    pub(super) body: bool,
}

/// How many detections there may be, 64 for each.
const WORDS: usize = 4;

impl Asked {
    /// Those whose needs fit a kind of requests.
    fn whose_fit<'e>(entries: impl IntoIterator<Item = &'e Entry>, kind: Kind) -> Self {
        let mut asked = Self::default();
        for entry in entries.into_iter().filter(|entry| entry.fits(kind)) {
            asked.bits[usize::from(entry.number) / 64] |= 1 << (entry.number % 64);
            asked.body |= entry.reads_body;
        }
        asked
    }

    /// These and others.
    fn and(mut self, other: &Self) -> Self {
        self.bits.iter_mut().zip(other.bits).for_each(|(bits, more)| *bits |= more);
        self.body |= other.body;
        self
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
        let (mut of_resource, mut of_path) = (BTreeMap::new(), Vec::new());
        let (mut of_any_resource, mut of_anything) = (Vec::new(), Vec::new());
        for (number, detection) in detections.iter().enumerate() {
            for need in detection.needs {
                let entry = entry(number, detection, need);
                match need.of {
                    Of::Resources(all) => {
                        for (group, name) in all {
                            let key = name.split_once('/').unwrap_or((name, ""));
                            let of: &mut Vec<Entry> = of_resource.entry(key).or_default();
                            of.push(Entry { group, ..entry });
                        }
                    }
                    Of::AnyResource => of_any_resource.push(entry),
                    Of::Anything => of_anything.push(entry),
                    Of::Paths(paths) => of_path.push((paths, entry)),
                }
            }
        }
        let by_kind = |entries: &[Entry]| {
            Kind::all().map(|kind| Asked::whose_fit(entries, kind)).collect::<Vec<_>>()
        };
        Self {
            of_resource,
            of_path,
            of_any_resource: by_kind(&of_any_resource),
            of_anything: by_kind(&of_anything),
        }
    }

    /// Finds who is asked.
    pub(super) fn asked(&self, event: &Event<'_>) -> Asked {
        let (kind, resource) = (Kind::of(event), event.resource());
        if resource.is_empty() {
            let path = event.path();
            let is_of = |paths: &[&str]| paths.iter().any(|pattern| matches(pattern, path));
            let of_path = self.of_path.iter().filter(|(paths, _)| is_of(paths));
            let asked = Asked::whose_fit(of_path.map(|(_, entry)| entry), kind);
            return match is_health(path) {
                true => asked,
                false => asked.and(&self.of_anything[kind.number()]),
            };
        }
        let key = (resource, event.subresource());
        let group = event.object_ref.as_ref().map_or("", |of| of.group());
        let of_resource: &BTreeMap<(&str, &str), Vec<Entry>> = &self.of_resource;
        // The oldest group has no resource that is called like one of another, so an event that leaves
        // the group out is taken at its word.
        let is_of = |entry: &&Entry| group.is_empty() || entry.group == group;
        let entries = of_resource.get(&key).into_iter().flatten().filter(is_of);
        Asked::whose_fit(entries, kind)
            .and(&self.of_any_resource[kind.number()])
            .and(&self.of_anything[kind.number()])
    }
}

fn entry(number: usize, detection: &Detection, need: &Need) -> Entry {
    let verbs = need.verbs.iter().fold(0, |all, word| all | (1 << verb(word)));
    Entry {
        group: "",
        verbs: if verbs == 0 { u16::MAX } else { verbs },
        stages: need.stages.iter().fold(0, |all, it| all | (1 << stage(*it))),
        who: need.who,
        reads_body: need.level >= Level::Request,
        number: u8::try_from(number).expect("there are fewer detections"),
        hears_failures: detection.judge.hears_failures(),
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

/// How many kinds of verbs are told apart.
const VERBS: usize = 9;

fn verb(verb: &str) -> usize {
    match verb {
        "get" => 0,
        "list" => 1,
        "watch" => 2,
        "create" => 3,
        "update" => 4,
        "patch" => 5,
        "delete" => 6,
        "deletecollection" => 7,
        _ => 8,
    }
}

const STAGES: usize = 4;

fn stage(stage: Stage) -> usize {
    match stage {
        Stage::RequestReceived => 0,
        Stage::ResponseStarted => 1,
        Stage::ResponseComplete => 2,
        Stage::Panic => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::{KINDS, Kind};
    use crate::envelope::{Found, each};
    use crate::examples::whole;

    #[test]
    fn every_kind_of_requests_has_its_own_place() {
        let numbers: Vec<usize> = Kind::all().map(Kind::number).collect();
        assert_eq!(numbers, (0..KINDS).collect::<Vec<_>>());
    }

    #[test]
    fn an_event_is_of_the_kind_that_it_says() {
        let check = |short: &str, expected: [bool; 3]| {
            let line = whole(short).unwrap().remove(0);
            let mut kinds = Vec::new();
            each(line.as_bytes(), &mut |found| {
                let Found::Event(event) = found else { panic!("{found:?}") };
                kinds.push(Kind::of(event));
            });
            let [Kind { failed, by_component, is_anonymous, .. }] = kinds[..] else {
                panic!("{kinds:?}")
            };
            assert_eq!([failed, by_component, is_anonymous], expected, "{short}");
        };
        let by = |user: &str, code: u16| {
            format!(
                r#"{{"verb":"get","of":":pods web/p","user":{user},"responseStatus":{{"code":{code}}}}}"#
            )
        };
        let anonymous = r#"{"username":"system:anonymous","groups":["system:unauthenticated"]}"#;
        let node = r#"{"username":"system:node:w1","groups":["system:nodes"]}"#;
        let somebody = r#"{"username":"eve","groups":["system:authenticated"]}"#;
        check(&by(somebody, 200), [false, false, false]);
        check(&by(somebody, 403), [true, false, false]);
        check(&by(node, 200), [false, true, false]);
        check(&by(anonymous, 200), [false, false, true]);
    }
}
