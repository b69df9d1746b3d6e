//! Puts manifests right: the bytes that a control needs changed, and no others.
//!
//! A fix is one control at one object, and is made whole or not at all. It is thought through on the object
//! first: the control must be kept then, and no other may be worse off. Then it must be possible to write it
//! where it belongs. In the end the edited text is read again, and has to say what was meant and nothing else.

mod difference;
mod draft;
mod mend;
mod object;
mod told;
mod write;

use ringfort_facts::manifest::{self, Document, Lines};
use serde_json::Value;

use crate::waivers::Waivers;
use crate::world::{Object, Objects};
use object::Fixer;
use write::Edit;

pub use difference::difference;
pub use told::{Fix, Left, Told, ToldFile, Why, schema};

/// Gives the ids of all controls that can be fixed, in the order in which they are.
pub fn controls() -> impl Iterator<Item = &'static str> {
    mend::MENDERS.iter().map(|mender| mender.control)
}

/// What is to be fixed.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The controls, by id.
    pub controls: &'a [&'a str],
    /// Who answers for what is found, if anybody: that is left as it is.
    pub waivers: Option<&'a Waivers>,
}

/// What came of fixing a text.
#[derive(Debug, Default)]
pub struct Fixed {
    /// What it is now; nothing where nothing changes.
    pub text: Option<String>,
    /// What was put right.
    pub fixes: Vec<Fix>,
    /// What was left as it is, and why.
    pub refused: Vec<Left>,
    /// What was left as it is because somebody answers for it.
    pub waived: Vec<Left>,
}

/// Fixes a text, which is a file of the objects by its number.
pub fn fix(
    text: &str,
    documents: &[Document],
    (objects, file): (&Objects<'_>, usize),
    asked: Asked<'_>,
) -> Fixed {
    let lines = Lines::new(text);
    let mut fixed = Fixed::default();
    let mut edits: Vec<Edit> = Vec::new();
    let mut meant: Vec<Option<Value>> = documents.iter().map(|_| None).collect();
    let of_file = |(_, object): &(usize, &Object<'_>)| object.origin.file == file;
    for (number, object) in objects.iter().enumerate().filter(of_file) {
        let origin = object.origin.document;
        let Some(document) = documents.get(origin) else { continue };
        let Some(node) = document.node().at(&object.pointer) else { continue };
        let Some(template) = object.kind.template else { continue };
        let place = (document, node);
        let mut fixer = Fixer::new(text, &lines, (objects, number), place, template);
        fixer.waivers = asked.waivers;
        fixer.fix(asked.controls);
        fixed.refused.append(&mut fixer.refused);
        fixed.waived.append(&mut fixer.waived);
        if fixer.fixes.is_empty() {
            continue;
        }
        fixed.fixes.append(&mut fixer.fixes);
        edits.append(&mut fixer.edits);
        let whole = meant[origin].get_or_insert_with(|| document.value().clone());
        if let Some(place) = whole.pointer_mut(&object.pointer) {
            *place = fixer.draft.object;
        }
    }
    if !edits.is_empty() {
        edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
        fixed.settle(write::apply(text, &edits), documents, &meant);
    }
    fixed
}

/// Whether an edited text says what was meant, document by document.
fn says(edited: &str, documents: &[Document], meant: &[Option<Value>]) -> bool {
    let Ok(read) = manifest::read(edited) else { return false };
    let wanted = documents.iter().zip(meant).map(|(document, meant)| match meant {
        Some(meant) => meant,
        None => document.value(),
    });
    read.len() == documents.len()
        && read.iter().zip(wanted).all(|(is, wanted)| is.value() == wanted)
}

impl Fixed {
    /// Keeps an edited text if it says what was meant.
    fn settle(&mut self, edited: String, documents: &[Document], meant: &[Option<Value>]) {
        match says(&edited, documents, meant) {
            true => self.text = Some(edited),
            false => self.take_back(),
        }
    }

    /// Nothing was put right after all.
    fn take_back(&mut self) {
        let refused = |fix: Fix| Left {
            why: Why::Unsound.to_string(),
            line: fix.lines.first().copied().unwrap_or(1),
            control: fix.control,
            object: fix.object,
        };
        self.refused.extend(self.fixes.drain(..).map(refused));
    }
}

#[cfg(test)]
mod tests;
