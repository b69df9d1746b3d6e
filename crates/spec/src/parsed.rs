//! The two steps from a text to a spec: reading, which keeps what can be read and says what cannot,
//! and checking, which looks at the rules across fields and gives the spec.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use crate::known::Known;
use crate::report::{Problem, Report, masked};
use crate::shape::{self, Fitted, Place};
use crate::spec::Spec;
use crate::written::Written;
use crate::{resolve, rules, yaml};

/// A file that was read, with the places of its values and what could not be read.
#[derive(Clone, Debug)]
pub struct Parsed {
    file_name: String,
    text: String,
    pub(crate) written: Written,
    places: BTreeMap<String, Place>,
    faulty: Vec<String>,
    problems: Vec<Problem>,
}

/// Reads a text. What cannot be read is kept for the report of [`check`], so that a reader sees all
/// problems of a file at once.
pub fn parse(text: &str, file_name: &str) -> Parsed {
    let text = masked(text);
    let (root, mut problems) = yaml::read(&text);
    let mut fitted = root.map(|root| shape::fit(&root, &schema())).unwrap_or_default();
    problems.append(&mut fitted.problems);
    if fitted.places.is_empty() && problems.is_empty() {
        let problem = Problem::new("empty", 0..0, "the file is empty");
        problems.push(problem.help("write one with `ringfort init`"));
    }
    let Fitted { value, places, faulty, .. } = fitted;
    let mut written = written(value, &mut problems);
    let family = rules::family_of(&written);
    written.network.settle(family, |field| places.contains_key(&format!("/network/{field}")));
    Parsed { file_name: file_name.to_owned(), text, written, places, faulty, problems }
}

/// Reads the written form; a value that fits the schema and still is none is a fault of ours.
fn written(value: Value, problems: &mut Vec<Problem>) -> Written {
    if value.is_null() {
        return Written::default();
    }
    serde_json::from_value(value).unwrap_or_else(|fault| {
        let message = format!("the file fits the schema and cannot be read: {fault}");
        problems.push(Problem::new("schema", 0..0, message));
        Written::default()
    })
}

/// Checks the rules across fields and fills in the defaults.
///
/// Needs all controls, for waivers, and the day on which waivers are looked at.
///
/// # Errors
/// Everything that is wrong with the file, in the order of the file, what could not be read
/// included.
pub fn check(parsed: &Parsed, known_controls: &[Known], today: Date) -> Result<Spec, Report> {
    let mut problems = parsed.problems.clone();
    // Without a map at the root nothing was looked at, and every rule would only repeat that.
    if !parsed.places.is_empty() && parsed.sound("") {
        problems.extend(rules::look(parsed, known_controls, today));
    }
    if problems.is_empty() {
        match resolve::resolve(parsed, today) {
            Some(spec) => return Ok(spec),
            None => problems.push(Problem::new("schema", 0..0, "a required field was not read")),
        }
    }
    Err(Report::new(&parsed.file_name, &parsed.text, problems))
}

/// Reads and checks a text: [`parse`], then [`check`].
///
/// # Errors
/// Everything that is wrong with the file.
pub fn read(
    text: &str,
    file_name: &str,
    known_controls: &[Known],
    today: Date,
) -> Result<Spec, Report> {
    check(&parse(text, file_name), known_controls, today)
}

/// Gives the JSON Schema of `cluster.yaml`, for editors and for the reference. Formats such as
/// `cidr` are ours; what does not know them ignores them.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(plain));
    generator.into_generator().into_root_schema_for::<Written>().to_value()
}

/// Takes out defaults that say nothing, and the line breaks that descriptions have from the source.
fn plain(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let paragraphs = description.split("\n\n").map(|one| one.replace('\n', " "));
        *description = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
}

impl Parsed {
    /// Says whether a value stands in the file itself.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// Gives the bytes of a value, or of the nearest value around it that was written.
    pub(crate) fn value_at(&self, path: &str) -> Range<usize> {
        self.place(path).map_or(0..0, |(place, exact)| match exact {
            true => place.value.clone(),
            false => place.key.clone(),
        })
    }

    /// Gives the bytes of a field's name, or of the nearest field around it that was written.
    pub(crate) fn key_at(&self, path: &str) -> Range<usize> {
        self.place(path).map_or(0..0, |(place, _)| place.key.clone())
    }

    fn place(&self, path: &str) -> Option<(&Place, bool)> {
        let mut around = path;
        loop {
            if let Some(place) = self.places.get(around) {
                return Some((place, around == path));
            }
            around = &around[..around.rfind('/')?];
        }
    }

    /// Says whether nothing in, at or around a path was left out, so that a rule may judge it.
    pub(crate) fn sound(&self, path: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match path {
            "" => !self.faulty.iter().any(String::is_empty),
            path => !self.faulty.iter().any(|bad| within(bad, path) || within(path, bad)),
        }
    }
}
