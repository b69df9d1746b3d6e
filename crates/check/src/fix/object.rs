//! Fixes an object, control by control.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringfort_facts::manifest::{Document, Lines, Node};
use ringfort_model::pod_security::{Level, Policy, Version};
use serde_json::Value;

use super::draft::Draft;
use super::mend::{MENDERS, Mender};
use super::told::{Fix, Left, Whose, Why};
use super::write::{self, Edit, Unwritable};
use crate::fault::{Fault, Remedy};
use crate::guidelines::{GUIDELINES, find};
use crate::judge::{Judged, judge_changed};
use crate::judgement::{Finding, Judgement};
use crate::pods::Pod;
use crate::report::{self, InObject, Named, Place};
use crate::waivers::{Waiver, Waivers};
use crate::world::Objects;

/// An object that is being fixed.
pub(super) struct Fixer<'a> {
    text: &'a str,
    lines: &'a Lines<'a>,
    objects: &'a Objects<'a>,
    number: usize,
    document: &'a Document,
    node: Node<'a>,
    pub(super) waivers: Option<&'a Waivers>,
    pub(super) draft: Draft<'a>,
    /// What the draft is written by.
    pub(super) edits: Vec<Edit>,
    pub(super) fixes: Vec<Fix>,
    pub(super) refused: Vec<Left>,
    pub(super) waived: Vec<Left>,
}

/// What is wrong with an object: for each control how many findings there are, and what is unknown.
type Tally = BTreeMap<(&'static str, Mark), usize>;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Mark {
    Fails,
    /// And somebody answers for it.
    IsWaived,
    IsUnknown,
    /// By a check of the standards.
    FailsCheck,
}

impl<'a> Fixer<'a> {
    pub(super) fn new(
        text: &'a str,
        lines: &'a Lines<'a>,
        (objects, number): (&'a Objects<'a>, usize),
        (document, node): (&'a Document, Node<'a>),
        template: &'static str,
    ) -> Self {
        Self {
            text,
            lines,
            objects,
            number,
            document,
            node,
            waivers: None,
            draft: Draft { object: node.value().clone(), template },
            edits: Vec::new(),
            fixes: Vec::new(),
            refused: Vec::new(),
            waived: Vec::new(),
        }
    }

    /// Fixes what it can of these controls. What one fix stands against may be no more after another.
    pub(super) fn fix(&mut self, controls: &[&str]) {
        let is_asked = |mender: &&Mender| controls.contains(&mender.control);
        let mut left: Vec<&Mender> = MENDERS.iter().filter(is_asked).collect();
        self.waived = left.iter().filter_map(|mender| self.tell_waived(mender)).collect();
        let (mut before, mut fixes) = (None, usize::MAX);
        while fixes != self.fixes.len() {
            fixes = self.fixes.len();
            self.refused.clear();
            left.retain(|mender| !self.fix_one(mender, &mut before));
        }
    }

    /// Fixes a control, and says whether it is kept.
    fn fix_one(&mut self, mender: &Mender, before: &mut Option<Tally>) -> bool {
        let (faults, is_readable) = self.faults(mender, &self.draft.object);
        if faults.is_empty() {
            return true;
        }
        let before = before.get_or_insert_with(|| self.tally(&self.draft.object));
        let tried = match is_readable {
            true => self.attempt(mender, &faults, before),
            false => Err(self.at(&faults[0].pointer, Why::Unreadable)),
        };
        match tried {
            Ok((draft, edits, after)) => {
                (self.draft, self.edits, *before) = (draft, edits, after);
                self.fixes.push(self.told(mender, &faults));
                true
            }
            Err(Unwritable { at, why }) => {
                let line = self.lines.position(at).line;
                let (control, object) = (mender.control, self.whose());
                self.refused.push(Left { control, object, line, why: why.to_string() });
                false
            }
        }
    }

    /// Changes the object for a control, if that does what it should and can be written.
    fn attempt(
        &self,
        mender: &Mender,
        faults: &[Fault],
        before: &Tally,
    ) -> Result<(Draft<'a>, Vec<Edit>, Tally), Unwritable> {
        let no = |why| self.at(&faults[0].pointer, why);
        let mut draft = self.draft.clone();
        (mender.mend)(&mut draft, &self.within(faults)).map_err(no)?;
        let (left, is_readable) = self.faults(mender, &draft.object);
        if !left.is_empty() || !is_readable {
            return Err(self.at(left.first().map_or("", |it| &it.pointer), Why::Still));
        }
        let after = self.tally(&draft.object);
        // What is unknown beside a finding is not told, and so is not new either.
        let is_told = |(of, mark): &(&'static str, Mark)| {
            *mark != Mark::IsUnknown || !before.contains_key(&(*of, Mark::Fails))
        };
        let is_worse = |(of, count): &(&(&'static str, Mark), &usize)| {
            let is_new = before.get(*of).is_none_or(|before| before < *count);
            is_new && is_told(of) && !mender.uncovers.contains(&of.0)
        };
        if let Some(((control, _), _)) = after.iter().find(is_worse) {
            return Err(no(Why::Worse(control)));
        }
        let is_undone = |(of, count): &(&(&'static str, Mark), &usize)| {
            of.1 == Mark::IsWaived && after.get(*of).is_none_or(|after| after < *count)
        };
        if let Some(((control, _), _)) = before.iter().find(is_undone) {
            return Err(no(Why::Waived(control)));
        }
        let edits = write::edits(self.text, self.node, &draft.object)?;
        Ok((draft, edits, after))
    }

    /// Gives what a control finds in an object and nobody answers for, and whether Kubernetes could read
    /// the object at all.
    fn faults(&self, mender: &Mender, object: &Value) -> (Vec<Fault>, bool) {
        let (mut faults, is_readable) = self.all_faults(mender, object);
        faults.retain(|it| self.waiver(mender.control, object, &it.pointer).is_none());
        (faults, is_readable)
    }

    fn all_faults(&self, mender: &Mender, object: &Value) -> (Vec<Fault>, bool) {
        let guidelines: Vec<_> = find(mender.control).into_iter().collect();
        let judged = judge_changed(self.objects, self.number, object, &guidelines);
        let mut faults = Vec::new();
        for (_, judgement) in judged.judgements {
            match judgement {
                Judgement::Fail(findings) => faults.extend(findings.into_iter().map(|it| it.fault)),
                // What is not said is said, so that nobody has to know what an account says.
                Judgement::Unknown(missing) if mender.control == TOKEN => {
                    let flags = missing.into_iter().filter(|it| it.pointer.ends_with(TOKEN_FIELD));
                    faults.extend(flags.map(|it| Fault {
                        pointer: it.pointer,
                        found: None,
                        remedy: Remedy::Write(false),
                    }));
                }
                _ => {}
            }
        }
        for failure in
            self.standard(object).into_iter().filter(|it| mender.checks.contains(&it.check))
        {
            faults.extend(failure.faults);
        }
        let mut once: Vec<Fault> = Vec::with_capacity(faults.len());
        for fault in faults {
            if once.iter().all(|known| known.pointer != fault.pointer) {
                once.push(fault);
            }
        }
        // A pod without containers is none yet; what it says can be put right all the same.
        let containers = format!("{}/spec/containers", self.draft.template);
        let is_without = object
            .pointer(&containers)
            .is_none_or(|it| it.is_null() || it.as_array().is_some_and(Vec::is_empty));
        let is_said = |pointer: &str| is_without && pointer.ends_with(&containers);
        let is_readable = judged.unreadable.iter().all(|it| is_said(&it.pointer));
        (once, is_readable)
    }

    /// Gives the waiver that covers a place in the object.
    fn waiver(&self, control: &str, object: &Value, pointer: &str) -> Option<&'a Waiver> {
        let waivers = self.waivers?;
        let known = self.objects.get(self.number);
        let whose = report::Whose {
            kind: known.kind.name.to_owned(),
            namespace: known.namespace().map(str::to_owned),
            name: known.name().to_owned(),
        };
        let within = pointer.strip_prefix(known.pointer.as_str()).unwrap_or(pointer);
        let named = Named::of(object, within);
        let at = InObject {
            object: Arc::new(whose),
            container: named.container,
            pointer: pointer.into(),
            field: within.into(),
            missing: None,
            named: named.pointer,
        };
        waivers.of(control, &Place::Api(at)).map(|at| &waivers.all[at].1)
    }

    /// Says what of a control somebody answers for.
    fn tell_waived(&self, mender: &Mender) -> Option<Left> {
        self.waivers?;
        let object = self.node.value();
        let (faults, _) = self.all_faults(mender, object);
        let (fault, waiver) = faults
            .iter()
            .find_map(|it| Some((it, self.waiver(mender.control, object, &it.pointer)?)))?;
        let line = self.lines.position(self.start(&fault.pointer)).line;
        let why = format!("{} answers for it: {}", waiver.owner, waiver.reason);
        Some(Left { control: mender.control, object: self.whose(), line, why })
    }

    fn standard(&self, object: &Value) -> Vec<crate::pods::Failure> {
        let known = self.objects.get(self.number);
        let (pointer, unreadable) = (known.pointer.clone(), known.unreadable.clone());
        let pod = Pod { object, pointer, kind: Some(known.kind), unreadable };
        pod.judge(Policy { level: Level::Restricted, version: Version::Latest }).failures
    }

    fn tally(&self, object: &Value) -> Tally {
        let Judged { judgements, .. } =
            judge_changed(self.objects, self.number, object, GUIDELINES);
        let mut waived = Vec::new();
        let counted = judgements.into_iter().filter_map(|(guideline, judgement)| {
            let (mark, count) = match judgement {
                Judgement::Fail(findings) => {
                    let is_waived = |it: &&Finding| {
                        self.waiver(guideline.id, object, &it.fault.pointer).is_some()
                    };
                    waived.push((guideline.id, findings.iter().filter(is_waived).count()));
                    (Mark::Fails, findings.len())
                }
                Judgement::Unknown(missing) => (Mark::IsUnknown, missing.len()),
                Judgement::Pass(_) | Judgement::NotApplicable(_) => return None,
            };
            Some(((guideline.id, mark), count))
        });
        let by_standard = self.standard(object).into_iter();
        let mut tally: Tally = counted
            .chain(by_standard.map(|it| ((it.check, Mark::FailsCheck), it.faults.len())))
            .collect();
        let waived = waived.into_iter().filter(|(_, count)| *count > 0);
        tally.extend(waived.map(|(control, count)| ((control, Mark::IsWaived), count)));
        tally
    }

    /// Gives faults whose pointers begin at the object.
    fn within(&self, faults: &[Fault]) -> Vec<Fault> {
        let above = &self.objects.get(self.number).pointer;
        let within = |fault: &Fault| {
            let pointer = fault.pointer.strip_prefix(above.as_str()).unwrap_or(&fault.pointer);
            Fault { pointer: pointer.to_owned(), ..fault.clone() }
        };
        faults.iter().map(within).collect()
    }

    fn at(&self, pointer: &str, why: Why) -> Unwritable {
        Unwritable { at: self.start(pointer), why }
    }

    /// Finds the byte where something stands, or what is above it.
    fn start(&self, pointer: &str) -> usize {
        let place = self.document.place(pointer);
        place.alias.or(place.key).unwrap_or(place.value).start
    }

    fn told(&self, mender: &Mender, faults: &[Fault]) -> Fix {
        let mut lines: Vec<usize> = faults
            .iter()
            .map(|fault| self.lines.position(self.start(&fault.pointer)).line)
            .collect();
        lines.sort_unstable();
        lines.dedup();
        let pointers = faults.iter().map(|fault| fault.pointer.clone()).collect();
        Fix { control: mender.control, object: self.whose(), pointers, lines }
    }

    fn whose(&self) -> Whose {
        let object = self.objects.get(self.number);
        Whose {
            document: object.origin.document,
            kind: object.kind.name,
            namespace: self.node.value()["metadata"]["namespace"].as_str().map(str::to_owned),
            name: object.name().to_owned(),
        }
    }
}

const TOKEN: &str = "workload/no-token-mount";
const TOKEN_FIELD: &str = "/automountServiceAccountToken";

#[cfg(test)]
mod tests;
