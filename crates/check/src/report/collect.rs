//! Collects what objects come to, part by part: parts are judged side by side and put together in the order
//! of the files, so that the same objects always give the same report.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::fingerprint::Turns;
use super::{
    Answer, Counts, Finding, InFile, InObject, NotApplicable, Passed, Place, Report, Row, Span,
    Unknown, Verdict, Waived, Whose, field,
};
use crate::fault::Remedy;
use crate::guideline::Guideline;
use crate::judge::judge_whole;
use crate::judgement::{self, Judgement, Missing};
use crate::waivers::{self, Waiver, Waivers};
use crate::world::{Objects, Origin, Unjudged};

/// What is asked, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The objects, or outlines of them.
    pub objects: &'a Objects<'a>,
    /// The controls, by id.
    pub controls: &'a [&'static Guideline],
    /// Who answers for what is found, if anybody.
    pub waivers: Option<&'a Waivers>,
    /// How much is kept.
    pub detail: Detail,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// What is wrong or unknown.
    Wrong,
    /// What passed, and what nothing is asked of, as well.
    All,
}

/// Finds where a pointer leads to in files.
pub trait Locate {
    /// Gives the place of a pointer that begins at a document.
    fn locate(&mut self, origin: Origin, pointer: &str) -> Located;
}

/// Where a pointer leads to in a file.
#[derive(Clone, Debug)]
pub struct Located {
    /// The file.
    pub file: Arc<str>,
    /// The part of it.
    pub span: Span,
    /// What of the pointer is not there.
    pub missing: Option<Box<str>>,
    /// The pointer with names for numbers, and the container on the way: see [`Named::of`].
    pub named: Named,
}

/// A pointer with the names of what is in lists instead of its numbers.
#[derive(Clone, Debug)]
pub struct Named {
    /// The pointer.
    pub pointer: Box<str>,
    /// The container that it leads through.
    pub container: Option<Arc<str>>,
}

impl Named {
    /// Follows a pointer in a document.
    pub fn of(document: &Value, pointer: &str) -> Self {
        let (mut named, mut container) = (String::with_capacity(pointer.len()), None);
        let (mut value, mut list) = (Some(document), "");
        for step in pointer.split('/').skip(1) {
            let key = step.replace("~1", "/").replace("~0", "~");
            value = match value {
                Some(Value::Array(items)) => key.parse::<usize>().ok().and_then(|at| items.get(at)),
                Some(Value::Object(fields)) => fields.get(&key),
                _ => None,
            };
            let is_index = step.bytes().all(|it| it.is_ascii_digit());
            let name = value.filter(|_| is_index).and_then(|it| it.get("name")?.as_str());
            named.push('/');
            match name {
                Some(name) => {
                    named.push_str(name);
                    if list.ends_with("ontainers") && container.is_none() {
                        container = Some(Arc::from(name));
                    }
                }
                None => named.push_str(step),
            }
            list = step;
        }
        Self { pointer: named.into(), container }
    }
}

/// What some of the objects come to.
#[derive(Debug, Default)]
pub struct Part {
    objects: usize,
    /// How many objects nobody could judge.
    unjudged: usize,
    counts: Vec<Counts>,
    findings: Vec<Finding>,
    unknown: Vec<Unknown>,
    waived: Vec<Waived>,
    passed: Vec<Passed>,
    not_applicable: Vec<NotApplicable>,
    /// The waivers that cover a finding.
    used: BTreeSet<usize>,
    /// The waivers that cover an object that needs none, and which.
    broad: BTreeMap<usize, Whose>,
}

/// Judges objects of one part, and knows where their places are.
struct Collector<'c, 'a> {
    asked: &'c Asked<'a>,
    locate: &'c mut dyn Locate,
    part: &'c mut Part,
}

impl Part {
    /// Takes down an object that cannot be judged.
    pub fn add_unjudged(&mut self, unjudged: &Unjudged<'_>, locate: &mut dyn Locate) {
        let kind = unjudged.kind.unwrap_or_default();
        let whose = Whose { kind: kind.to_owned(), namespace: None, name: String::new() };
        let path = field(kind, &unjudged.pointer);
        self.unjudged += 1;
        let place = in_file(locate, unjudged.origin, &unjudged.pointer, Arc::new(whose), path);
        let gap = &unjudged.gap;
        self.unknown.push(unknown(None, place, gap.said.clone(), gap.closes.clone()));
    }

    /// Judges an object, whose document is given as a whole.
    pub fn add(
        &mut self,
        asked: &Asked<'_>,
        number: usize,
        document: &Value,
        locate: &mut dyn Locate,
    ) {
        self.objects += 1;
        self.counts.resize(asked.controls.len(), Counts::default());
        Collector { asked, locate, part: self }.judge(number, document);
    }
}

impl Collector<'_, '_> {
    fn judge(&mut self, number: usize, document: &Value) {
        let judged = judge_whole(self.asked.objects, number, document, self.asked.controls);
        let own = self.whose(number);
        for it in &judged.unreadable {
            let place = self.place(number, &own, number, &it.pointer, None);
            let closes = TAKES.to_owned();
            self.part.unknown.push(unknown(None, place, it.why.clone(), closes));
        }
        for (guideline, judgement) in &judged.judgements {
            let row = self.asked.controls.binary_search_by_key(&guideline.id, |it| it.id);
            let Ok(row) = row else { continue };
            match judgement {
                Judgement::Fail(findings) => self.failed(row, guideline, number, &own, findings),
                Judgement::Unknown(missing) => {
                    self.part.counts[row].unknown += 1;
                    let by_itself = missing.iter().filter(|it| judged.is_missing_by_itself(it));
                    by_itself.for_each(|it| self.missing(guideline, number, &own, it));
                }
                Judgement::Pass(rests) => self.passed(row, guideline, number, &own, rests),
                Judgement::NotApplicable(reason) => {
                    self.part.counts[row].not_applicable += 1;
                    if self.asked.detail == Detail::All {
                        let (control, object) = (guideline.id, (*own).clone());
                        self.part.not_applicable.push(NotApplicable { control, object, reason });
                    }
                }
            }
        }
    }

    fn failed(
        &mut self,
        row: usize,
        guideline: &'static Guideline,
        number: usize,
        own: &Arc<Whose>,
        findings: &[judgement::Finding],
    ) {
        let mut are_all_waived = true;
        // What several of a control's questions find at one place is one thing to mend.
        let again = |at: usize| findings[..at].contains(&findings[at]);
        for (_, it) in findings.iter().enumerate().filter(|(at, _)| !again(*at)) {
            let place = self.place(number, own, it.object, &it.fault.pointer, it.absent);
            let found = it.fault.found.as_deref().map(Box::from);
            let finding = finding(guideline, place, found, fix(it.fault.remedy));
            match self.waiver(&finding) {
                Some((at, answer)) => {
                    self.part.used.insert(at);
                    self.part.waived.push(Waived { finding, waiver: answer });
                }
                None => {
                    are_all_waived = false;
                    self.part.findings.push(finding);
                }
            }
        }
        match are_all_waived {
            true => self.part.counts[row].waived += 1,
            false => self.part.counts[row].failed += 1,
        }
    }

    fn waiver(&self, finding: &Finding) -> Option<(usize, Answer)> {
        let waivers = self.asked.waivers?;
        let at = waivers.of(finding.control, &finding.place)?;
        Some((at, Answer::from(&waivers.all[at].1)))
    }

    fn missing(
        &mut self,
        guideline: &'static Guideline,
        number: usize,
        own: &Arc<Whose>,
        it: &Missing,
    ) {
        let place = self.place(number, own, it.object, &it.pointer, None);
        let (said, closes) = (it.gap.said.clone(), it.gap.closes.clone());
        self.part.unknown.push(unknown(Some(guideline.id), place, said, closes));
    }

    fn passed(
        &mut self,
        row: usize,
        guideline: &'static Guideline,
        number: usize,
        own: &Arc<Whose>,
        rests: &judgement::Rests,
    ) {
        self.part.counts[row].passed += 1;
        if let Some(waivers) = self.asked.waivers {
            for at in waivers.spanning(guideline.id, own) {
                self.part.broad.entry(at).or_insert_with(|| (**own).clone());
            }
        }
        if self.asked.detail == Detail::All {
            let spots = rests.spots().iter();
            let rests =
                spots.map(|it| self.place(number, own, it.object, &it.pointer, None)).collect();
            let (control, object) = (guideline.id, (**own).clone());
            self.part.passed.push(Passed { control, object, rests });
        }
    }

    fn whose(&self, number: usize) -> Arc<Whose> {
        let object = self.asked.objects.get(number);
        Arc::new(Whose {
            kind: object.kind.name.to_owned(),
            namespace: object.namespace().map(str::to_owned),
            name: object.name().to_owned(),
        })
    }

    /// Gives a place, which may be in another object than the judged one.
    fn place(
        &mut self,
        judged: usize,
        own: &Arc<Whose>,
        number: usize,
        pointer: &str,
        absent: Option<&str>,
    ) -> Place {
        let whose = if number == judged { Arc::clone(own) } else { self.whose(number) };
        let object = self.asked.objects.get(number);
        let path = match absent {
            Some(kind) => format!("{kind}.metadata.namespace"),
            None => field(object.kind.name, &pointer[object.pointer.len()..]),
        };
        in_file(self.locate, object.origin, pointer, whose, path)
    }
}

fn in_file(
    locate: &mut dyn Locate,
    origin: Origin,
    pointer: &str,
    object: Arc<Whose>,
    path: String,
) -> Place {
    let Located { file, span, missing, named } = locate.locate(origin, pointer);
    let at = InObject {
        object,
        container: named.container,
        pointer: pointer.into(),
        field: path.into(),
        missing,
        named: named.pointer,
    };
    let document = u32::try_from(origin.document).unwrap_or(u32::MAX);
    Place::File(InFile { file, span, document, at })
}

fn finding(
    guideline: &Guideline,
    place: Place,
    found: Option<Box<str>>,
    fix: Cow<'static, str>,
) -> Finding {
    let Guideline { id: control, title, severity, .. } = *guideline;
    let fingerprint = place.fingerprint(Some(control));
    Finding { control, severity, title, place, found, fix, fingerprint, since: None }
}

fn unknown(control: Option<&'static str>, place: Place, said: String, closes: String) -> Unknown {
    let fingerprint = place.fingerprint(control);
    Unknown { control, place, said, closes, fingerprint, since: None }
}

fn fix(remedy: Remedy) -> Cow<'static, str> {
    match remedy {
        Remedy::Do(what) => Cow::Borrowed(what),
        other => Cow::Owned(other.to_string()),
    }
}

/// What closes the gap where an object is not as Kubernetes reads it.
const TAKES: &str = "write what Kubernetes takes";

/// Puts parts together, in the order of the files.
impl Report {
    /// Says what parts come to, and what is wrong with waivers. Where something was not read or not understood at all,
    /// no control is kept by the rest.
    pub fn put_together(
        &mut self,
        parts: impl IntoIterator<Item = Part>,
        waivers: Option<&Waivers>,
        detail: Detail,
    ) {
        let (mut used, mut broad) = (BTreeSet::new(), BTreeMap::new());
        let (mut passed, mut not_applicable) = (Vec::new(), Vec::new());
        let mut unseen = self.unread.len();
        for part in parts {
            unseen += part.unjudged;
            self.objects += part.objects;
            for (row, counts) in self.controls.iter_mut().zip(&part.counts) {
                row.counts.add(counts);
            }
            self.findings.extend(part.findings);
            self.unknown.extend(part.unknown);
            self.waived.extend(part.waived);
            passed.extend(part.passed);
            not_applicable.extend(part.not_applicable);
            used.extend(part.used);
            for (at, whose) in part.broad {
                broad.entry(at).or_insert(whose);
            }
        }
        if detail == Detail::All {
            (self.passed, self.not_applicable) = (Some(passed), Some(not_applicable));
        }
        if let Some(waivers) = waivers {
            self.add_waivers(waivers, &used, &broad);
        }
        let mut turns = Turns::default();
        let found =
            self.findings.iter_mut().chain(self.waived.iter_mut().map(|it| &mut it.finding));
        found.for_each(|it| it.fingerprint = turns.next(it.fingerprint));
        let mut turns = Turns::default();
        self.unknown.iter_mut().for_each(|it| it.fingerprint = turns.next(it.fingerprint));
        for row in &mut self.controls {
            row.settle();
            if unseen > 0 && row.verdict > Verdict::Unknown && !waivers::is_about(row.control) {
                row.verdict = Verdict::Unknown;
            }
        }
    }

    /// Judges the waivers themselves. One of a control that was not asked says nothing.
    fn add_waivers(
        &mut self,
        waivers: &Waivers,
        used: &BTreeSet<usize>,
        broad: &BTreeMap<usize, Whose>,
    ) {
        let mut rows = waivers::ASKED.map(Row::of);
        let [current, narrow, is_used] = &mut rows;
        for (at, (place, waiver)) in waivers.all.iter().enumerate() {
            if self.row(&waiver.control).is_none() {
                continue;
            }
            let mut tell =
                |row: &mut Row, guideline, is_kept: bool, field: &str, fix: String| match is_kept {
                    true => row.counts.passed += 1,
                    false => {
                        row.counts.failed += 1;
                        let found = Some(found(waiver, field).into());
                        self.findings.push(finding(guideline, place.clone(), found, fix.into()));
                    }
                };
            let holds = waiver.holds(waivers.today);
            let ended = format!("remove it, or have {} decide again", waiver.owner);
            tell(current, &waivers::CURRENT, holds, "expires", ended);
            if !holds {
                narrow.counts.not_applicable += 1;
                is_used.counts.not_applicable += 1;
                continue;
            }
            let is_needed = used.contains(&at);
            let gone = "remove it: nothing that it covers is found".to_owned();
            tell(is_used, &waivers::USED, is_needed, "control", gone);
            let needless = broad.get(&at);
            let said = needless.map(Whose::said).unwrap_or_default();
            let name = format!(
                "name the objects or containers: {said} keeps {} by itself",
                waiver.control
            );
            tell(narrow, &waivers::NARROW, needless.is_none(), "control", name);
        }
        self.controls.extend(rows);
        self.controls.sort_by_key(|row| row.control);
    }
}

fn found(waiver: &Waiver, field: &str) -> String {
    match field {
        "expires" => format!("\"{}\"", waiver.expires),
        _ => format!("{:?}", waiver.control),
    }
}
