//! What judging came to, for programs. Its shape is a contract: what is taken away or means something
//! else raises the version.

use ringfort_check::guideline::Guideline;
use ringfort_check::judge::Judged;
use ringfort_check::judgement::{Finding, Judgement, Missing};
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest::Lines;
use ringfort_model::severity::Severity;
use serde::Serialize;

use super::manifests::{TAKES, Tree};
use super::place;

const VERSION: u32 = 1;

/// Everything that is said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'t> {
    version: u32,
    /// `closed` or `open`.
    world: &'static str,
    /// How many objects were judged.
    objects: usize,
    /// A row for each control, by id: how many objects came to what.
    controls: Vec<Counted>,
    /// Places that are not as they should be, in the order of the files.
    findings: Vec<Found>,
    /// What could not be decided, and what would decide it.
    unknown: Vec<Unknown>,
    /// Files that could not be read.
    unread: Vec<String>,
    #[serde(skip)]
    places: Places<'t>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    control: &'static str,
    severity: Severity,
    passed: usize,
    failed: usize,
    unknown: usize,
    not_applicable: usize,
}

#[derive(Serialize)]
struct Found {
    control: &'static str,
    severity: Severity,
    title: &'static str,
    #[serde(flatten)]
    at: At,
    /// What stands there, as JSON; null where nothing does.
    found: Option<String>,
    /// What to change.
    fix: String,
}

#[derive(Serialize)]
struct Unknown {
    /// The control; null where it is the object that cannot be read, for every control.
    control: Option<&'static str>,
    #[serde(flatten)]
    at: At,
    /// What could not be looked at, and why.
    said: String,
    /// What would close the gap.
    closes: String,
}

/// A place: in the file, and in the object.
#[derive(Serialize)]
struct At {
    file: String,
    /// From 1; where nothing stands, the place where it would have to.
    line: usize,
    column: usize,
    /// The number of the document in the file, from 0.
    document: usize,
    object: Whose,
    /// The JSON pointer that begins at the document.
    pointer: String,
    /// The same as a path that begins at the object's kind. Of an object that should be there and is not,
    /// it is the path that the object would have.
    field: String,
}

#[derive(Serialize)]
struct Whose {
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl<'t> Written<'t> {
    /// Begins with what cannot be judged.
    pub(super) fn new(
        world: World,
        asked: &[&'static Guideline],
        tree: &'t Tree,
        objects: &'t Objects<'t>,
    ) -> Self {
        let mut written = Self {
            version: VERSION,
            world: match world {
                World::Closed => "closed",
                World::Open => "open",
            },
            objects: 0,
            controls: asked.iter().map(|guideline| Counted::new(guideline)).collect(),
            findings: Vec::new(),
            unknown: Vec::new(),
            unread: tree.unread.iter().map(ToString::to_string).collect(),
            places: Places::new(tree, objects),
        };
        for unjudged in objects.unjudged() {
            let at = written.places.beside(unjudged.origin, &unjudged.pointer, unjudged.kind);
            let (said, closes) = (unjudged.gap.said.clone(), unjudged.gap.closes.clone());
            written.unknown.push(Unknown { control: None, at, said, closes });
        }
        written
    }

    /// Adds what an object came to.
    pub(super) fn add(&mut self, number: usize, judged: &Judged) {
        let places = &mut self.places;
        self.objects += 1;
        for it in &judged.unreadable {
            let at = places.of(number, &it.pointer, None);
            let closes = TAKES.to_owned();
            self.unknown.push(Unknown { control: None, at, said: it.why.clone(), closes });
        }
        for (guideline, judgement) in &judged.judgements {
            if let Ok(row) = self.controls.binary_search_by_key(&guideline.id, |row| row.control) {
                self.controls[row].add(judgement);
            }
            match judgement {
                Judgement::Fail(findings) => {
                    let found = findings.iter().map(|it| Found::new(guideline, it, places));
                    self.findings.extend(found);
                }
                Judgement::Unknown(missing) => {
                    let own = missing.iter().filter(|it| judged.is_missing_by_itself(it));
                    self.unknown.extend(own.map(|it| Unknown::new(guideline, it, places)));
                }
                Judgement::Pass(_) | Judgement::NotApplicable(_) => {}
            }
        }
    }

    fn sum(&self, of: impl Fn(&Counted) -> usize) -> usize {
        self.controls.iter().map(of).sum()
    }

    /// Says it in a line, for people.
    pub(super) fn in_a_line(&self) -> String {
        format!(
            "{} world: objects {}, controls {}; passed {}, failed {}, unknown {}, not applicable {}",
            self.world,
            self.objects,
            self.controls.len(),
            self.sum(|row| row.passed),
            self.sum(|row| row.failed),
            self.sum(|row| row.unknown),
            self.sum(|row| row.not_applicable),
        )
    }

    pub(super) fn code(&self) -> u8 {
        match (self.findings.is_empty(), self.unknown.is_empty() && self.unread.is_empty()) {
            (false, _) => 1,
            (true, false) => 3,
            (true, true) => 0,
        }
    }
}

impl Counted {
    fn new(guideline: &Guideline) -> Self {
        Self {
            control: guideline.id,
            severity: guideline.severity,
            passed: 0,
            failed: 0,
            unknown: 0,
            not_applicable: 0,
        }
    }

    fn add(&mut self, judgement: &Judgement) {
        match judgement {
            Judgement::Pass(_) => self.passed += 1,
            Judgement::Fail(_) => self.failed += 1,
            Judgement::Unknown(_) => self.unknown += 1,
            Judgement::NotApplicable(_) => self.not_applicable += 1,
        }
    }
}

impl Found {
    fn new(guideline: &'static Guideline, finding: &Finding, places: &mut Places<'_>) -> Self {
        let Guideline { id: control, title, severity, .. } = *guideline;
        let at = places.of(finding.object, &finding.fault.pointer, finding.absent);
        let (found, fix) = (finding.fault.found.clone(), finding.fault.remedy.to_string());
        Self { control, severity, title, at, found, fix }
    }
}

impl Unknown {
    fn new(guideline: &'static Guideline, missing: &Missing, places: &mut Places<'_>) -> Self {
        let at = places.of(missing.object, &missing.pointer, None);
        let (said, closes) = (missing.gap.said.clone(), missing.gap.closes.clone());
        Self { control: Some(guideline.id), at, said, closes }
    }
}

/// Finds places in files, and counts the lines of a file once.
struct Places<'t> {
    tree: &'t Tree,
    objects: &'t Objects<'t>,
    lines: Vec<Option<Lines<'t>>>,
}

impl<'t> Places<'t> {
    fn new(tree: &'t Tree, objects: &'t Objects<'t>) -> Self {
        Self { tree, objects, lines: tree.files.iter().map(|_| None).collect() }
    }

    fn of(&mut self, number: usize, pointer: &str, absent: Option<&str>) -> At {
        let object = self.objects.get(number);
        let whose = Whose {
            kind: object.kind.name.to_owned(),
            namespace: object.namespace().map(str::to_owned),
            name: object.name().to_owned(),
        };
        let field = match absent {
            Some(kind) => format!("{kind}.metadata.namespace"),
            None => field(object.kind.name, &pointer[object.pointer.len()..]),
        };
        self.at(object.origin, pointer, whose, field)
    }

    fn beside(&mut self, origin: Origin, pointer: &str, kind: Option<&str>) -> At {
        let kind = kind.unwrap_or_default();
        let whose = Whose { kind: kind.to_owned(), namespace: None, name: String::new() };
        self.at(origin, pointer, whose, field(kind, pointer))
    }

    fn at(&mut self, origin: Origin, pointer: &str, object: Whose, field: String) -> At {
        let file = &self.tree.files[origin.file];
        let (range, _) = place(self.tree.document(origin), pointer);
        let lines = self.lines[origin.file].get_or_insert_with(|| Lines::new(&file.text));
        let position = lines.position(range.start);
        let (line, column) = (position.line, position.column);
        let (file, pointer) = (file.name.clone(), pointer.to_owned());
        At { file, line, column, document: origin.document, object, pointer, field }
    }
}

/// Writes a pointer as a path, such as `Pod.spec.containers[0].image`.
fn field(kind: &str, pointer: &str) -> String {
    let mut field = kind.to_owned();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let is_plain = step.chars().all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_');
        match step.parse::<usize>() {
            Ok(index) => field.push_str(&format!("[{index}]")),
            Err(_) if is_plain => field.push_str(&format!(".{step}")),
            Err(_) => field.push_str(&format!(".{step:?}")),
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_pointer_is_written_as_a_path() {
        for (pointer, expected) in [
            ("", "Pod"),
            ("/spec/containers/0/image", "Pod.spec.containers[0].image"),
            ("/metadata/labels/a.b~1c", "Pod.metadata.labels.\"a.b/c\""),
        ] {
            assert_eq!(field("Pod", pointer), expected);
        }
    }
}
