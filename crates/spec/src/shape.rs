//! Fits a tree of YAML to the JSON Schema of the spec and names every place where it does not fit.
//!
//! What fits becomes a JSON value without faults, which the written form is then read from; what
//! does not fit is left out of it (in lists: stands as null, so that places keep their numbers).
//! So one type, through its schema, is the parser, the editor's completion and the reference page.
//! Never here: knowledge of a single field, rules across fields.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::format;
use crate::report::Problem;
use crate::yaml::{Content, Entry, Node, Style};

/// Where a value stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The value's bytes.
    pub value: Range<usize>,
    /// The bytes of its field's name; those of the value in a list.
    pub key: Range<usize>,
}

/// What came of fitting.
#[derive(Debug, Default)]
pub(crate) struct Fitted {
    /// The parts that fit.
    pub value: Value,
    /// The place of each value that was looked at, by path (`/controlPlanes/0`).
    pub places: BTreeMap<String, Place>,
    /// The paths of what did not fit.
    pub faulty: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Fits a tree to a schema.
pub(crate) fn fit(root: &Node, schema: &Value) -> Fitted {
    let mut fitter = Fitter { schema, fitted: Fitted::default() };
    let place = Place { value: root.range.clone(), key: first_line(root) };
    let value = fitter.node(root, schema, "", &place).unwrap_or_default();
    Fitted { value, ..fitter.fitted }
}

fn first_line(root: &Node) -> Range<usize> {
    match &root.content {
        Content::Map(entries) => entries.first().map(|entry| entry.key_range.clone()),
        _ => None,
    }
    .unwrap_or_else(|| root.range.clone())
}

struct Fitter<'s> {
    schema: &'s Value,
    fitted: Fitted,
}

impl<'s> Fitter<'s> {
    fn node(&mut self, node: &Node, schema: &'s Value, path: &str, at: &Place) -> Option<Value> {
        let schema = self.branch(schema, &node.content);
        self.fitted.places.insert(path.to_owned(), at.clone());
        match (wanted(schema), &node.content) {
            ("object", Content::Map(entries)) => Some(self.map(entries, schema, path, at)),
            ("array", Content::List(items)) => Some(self.list(items, schema, path)),
            ("string", Content::Text { text, .. }) => self.text(text, node, schema, path),
            ("integer", Content::Text { text, style: Style::Plain }) => {
                self.integer(text, node, schema, path)
            }
            ("boolean", Content::Text { text, style: Style::Plain }) => {
                self.truth(text, node, path)
            }
            (_, Content::Refused) => {
                self.fitted.faulty.push(path.to_owned());
                None
            }
            (wanted, content) => {
                let message = format!("{} stands where {} belongs", found(content), name(wanted));
                let problem = Problem::new("wrong-type", visible(node, at), message);
                let label = format!("should be {}", name(wanted));
                self.refuse(path, with_example(problem.label(label), schema, path))
            }
        }
    }

    fn map(&mut self, entries: &[Entry], schema: &'s Value, path: &str, at: &Place) -> Value {
        let fields = schema["properties"].as_object();
        let mut value = Map::new();
        for entry in entries {
            let field = fields.and_then(|fields| fields.get(&entry.key));
            let Some(field) =
                field.or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()))
            else {
                self.unknown(entry, fields, path);
                continue;
            };
            let path = format!("{path}/{}", entry.key);
            let place = Place { value: entry.value.range.clone(), key: entry.key_range.clone() };
            let required = is_required(schema, &entry.key);
            if matches!(entry.value.content, Content::Empty) {
                if required {
                    self.empty(entry, field, &path);
                }
                continue;
            }
            if let Some(fitting) = self.node(&entry.value, field, &path, &place) {
                value.insert(entry.key.clone(), fitting);
            }
        }
        self.missing(entries, schema, path, at);
        Value::Object(value)
    }

    fn list(&mut self, items: &[Node], schema: &'s Value, path: &str) -> Value {
        let fit = |(index, item): (usize, &Node)| {
            let place = Place { value: item.range.clone(), key: item.range.clone() };
            self.node(item, &schema["items"], &format!("{path}/{index}"), &place)
                .unwrap_or_default()
        };
        Value::Array(items.iter().enumerate().map(fit).collect())
    }

    fn text(&mut self, text: &str, node: &Node, schema: &Value, path: &str) -> Option<Value> {
        let choices = choices(schema);
        let fault = match schema["format"].as_str() {
            _ if choices.contains(&text) => None,
            _ if !choices.is_empty() => {
                Some(format!("{text:?} is not one of {}", quoted(&choices)))
            }
            Some(format) => format::fault(format, text),
            None => None,
        };
        let Some(fault) = fault else { return Some(Value::from(text)) };
        let (message, help) = apart(&fault);
        let mut problem = Problem::new("bad-value", node.range.clone(), message);
        problem.help = help.or_else(|| meant(text, &choices));
        self.refuse(path, problem)
    }

    fn integer(&mut self, text: &str, node: &Node, schema: &Value, path: &str) -> Option<Value> {
        let least = schema["minimum"].as_i64().unwrap_or(0);
        let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
        match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Some(Value::from(number)),
            _ => {
                let message = format!("{text} is not a whole number from {least} to {most}");
                self.refuse(path, Problem::new("bad-value", node.range.clone(), message))
            }
        }
    }

    fn truth(&mut self, text: &str, node: &Node, path: &str) -> Option<Value> {
        match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => {
                let message = format!("{text:?} is neither true nor false");
                self.refuse(path, Problem::new("bad-value", node.range.clone(), message))
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, fields: Option<&Map<String, Value>>, path: &str) {
        let names: Vec<&str> = fields.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let all = || format!("the fields here are {}", names.join(", "));
        let help = meant(&entry.key, &names).unwrap_or_else(all);
        let message = format!("there is no field `{}` here", entry.key);
        let problem = Problem::new("unknown-field", entry.key_range.clone(), message).help(help);
        self.refuse(&format!("{path}/{}", entry.key), problem);
    }

    fn empty(&mut self, entry: &Entry, schema: &Value, path: &str) {
        let message = format!("the field `{}` has no value", entry.key);
        let problem = Problem::new("missing-value", entry.key_range.clone(), message);
        self.refuse(path, with_example(problem, schema, path));
    }

    fn missing(&mut self, entries: &[Entry], schema: &'s Value, path: &str, at: &Place) {
        for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if entries.iter().any(|entry| entry.key == field) {
                continue;
            }
            let message = format!("the field `{field}` is missing");
            let problem = Problem::new("missing-field", at.key.clone(), message);
            let path = format!("{path}/{field}");
            let schema = self.resolve(&schema["properties"][field]);
            self.refuse(&path, with_example(problem, schema, &path));
        }
    }

    /// Notes a problem; gives nothing, which is what is left of the value.
    fn refuse(&mut self, path: &str, problem: Problem) -> Option<Value> {
        self.fitted.faulty.push(path.to_owned());
        self.fitted.problems.push(problem);
        None
    }

    /// Follows references and, among alternatives, takes the one of the node's kind.
    fn branch(&self, schema: &'s Value, content: &Content) -> &'s Value {
        let schema = self.resolve(schema);
        let Some(branches) = schema["anyOf"].as_array() else { return schema };
        let mut branches = branches.iter().map(|branch| self.resolve(branch));
        let kind = |schema: &Value| match content {
            Content::Map(_) => wanted(schema) == "object",
            Content::List(_) => wanted(schema) == "array",
            Content::Text { .. } => matches!(wanted(schema), "string" | "integer" | "boolean"),
            Content::Empty | Content::Refused => false,
        };
        let first = branches.clone().next().unwrap_or(schema);
        branches.find(|branch| kind(branch)).unwrap_or(first)
    }

    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        target.and_then(|target| self.schema.pointer(target)).unwrap_or(schema)
    }
}

/// Gives the one type that a schema wants besides null.
fn wanted(schema: &Value) -> &str {
    let choice = schema["oneOf"].get(0).and_then(|first| first["type"].as_str());
    match &schema["type"] {
        Value::String(one) => Some(one.as_str()),
        Value::Array(some) => some.iter().filter_map(Value::as_str).find(|t| *t != "null"),
        _ => choice,
    }
    .unwrap_or("value")
}

/// Gives the texts that a schema allows; empty if it does not list them.
fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let described = schema["oneOf"].as_array().into_iter().flatten();
    let single = schema["const"].as_str();
    listed.chain(described.filter_map(|one| one["const"].as_str())).chain(single).collect()
}

fn is_required(schema: &Value, field: &str) -> bool {
    schema["required"].as_array().is_some_and(|required| required.iter().any(|name| name == field))
}

fn name(wanted: &str) -> &str {
    match wanted {
        "object" => "a map of fields",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "boolean" => "true or false",
        other => other,
    }
}

fn found(content: &Content) -> &'static str {
    match content {
        Content::Empty | Content::Refused => "nothing",
        Content::List(_) => "a list",
        Content::Map(_) => "a map of fields",
        Content::Text { style: Style::Quoted, .. } => "a text in quotes",
        Content::Text { .. } => "a single value",
    }
}

/// Points at the field's name where the value goes over several lines.
fn visible(node: &Node, at: &Place) -> Range<usize> {
    match node.content {
        Content::Map(_) | Content::List(_) => at.key.clone(),
        _ => node.range.clone(),
    }
}

fn with_example(problem: Problem, schema: &Value, path: &str) -> Problem {
    let field = path.rsplit('/').next().unwrap_or_default();
    let listed = schema["examples"].get(0);
    let shown = listed.map(written).or_else(|| choices(schema).first().map(|c| (*c).to_owned()));
    match shown {
        Some(example) if field.parse::<usize>().is_err() => {
            problem.help(format!("write `{field}: {example}`"))
        }
        Some(example) => problem.help(format!("write `{example}`")),
        None => problem,
    }
}

/// Writes an example the way a person would.
fn written(example: &Value) -> String {
    match example {
        Value::String(text) if text.parse::<f64>().is_ok() => format!("{text:?}"),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Cuts a message of the form "what: way out".
fn apart(fault: &str) -> (&str, Option<String>) {
    match fault.rsplit_once(": ") {
        Some((what, way_out)) => (what, Some(way_out.to_owned())),
        None => (fault, None),
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// Says which name a slip of the pen was probably meant to be.
pub(crate) fn meant(text: &str, names: &[&str]) -> Option<String> {
    nearest(text, names).map(|name| format!("did you mean `{name}`?"))
}

/// Gives the name that a slip of the pen was probably meant to be.
pub fn nearest<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    if text.len() > LONGEST_SLIP {
        return None;
    }
    let most = text.chars().count().max(3) / 3;
    let far =
        names.iter().map(|name| (distance(&text.to_lowercase(), &name.to_lowercase()), *name));
    far.filter(|(far, _)| *far <= most).min().map(|(_, name)| name)
}

/// Counts the letters to add, remove or exchange between two texts (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, b) in to.chars().enumerate() {
            let exchanged = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A longer text is no misspelt name, and comparing it would only take time.
const LONGEST_SLIP: usize = 64;

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(distance("worker", "workers"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("controlplanes", &["controlPlanes", "workers"]), Some("controlPlanes"));
        assert_eq!(nearest("colour", &["controlPlanes", "workers"]), None);
    }
}
