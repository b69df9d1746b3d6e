//! Whether an object can be read at all: every field that Kubernetes knows has the type it must have.
//! Fields that Kubernetes does not know say nothing to it, nor here.

mod scalar;

pub(crate) use scalar::SUFFIXES;

use std::sync::LazyLock;

use serde_json::Value;

use crate::declared;
use crate::fault::Unreadable;
use crate::kinds::Kind;
use crate::place::{Field, Place};

/// Finds everything in an object of a kind that has another type than Kubernetes reads there. Of a kind that
/// is not in the table it is asked of what objects have in common: metadata, and the template of pods.
pub(crate) fn check(kind: &Kind, object: &Place<'_>, unreadable: &mut Vec<Unreadable>) {
    static TYPES: LazyLock<Types> = LazyLock::new(|| Types::read(include_str!("shape/types.txt")));
    if kind.name == "Conventions" {
        declared::check(object, unreadable);
    }
    if TYPES.check_named(kind.name, object, unreadable) {
        return;
    }
    TYPES.check_named("ObjectMeta", &object.at("metadata"), unreadable);
    if let Some(template) = kind.template {
        check_below(&TYPES, template, object, unreadable);
    }
}

/// Checks the template of pods that a pointer leads to.
fn check_below(types: &Types, pointer: &str, object: &Place<'_>, unreadable: &mut Vec<Unreadable>) {
    match pointer.strip_prefix('/') {
        Some(rest) => {
            let (step, rest) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            check_below(types, rest, &object.at(step), unreadable);
        }
        None => drop(types.check_named("PodTemplateSpec", object, unreadable)),
    }
}

/// Says what must be somewhere, and what is.
pub(crate) fn other(wanted: &str, found: &Value) -> String {
    match found {
        Value::Null => format!("{wanted} must stand here, and nothing does"),
        Value::Bool(_) => format!("{wanted} must stand here, and it is a boolean"),
        Value::Number(number) => format!("{wanted} must stand here, and it is the number {number}"),
        Value::String(text) => format!("{wanted} must stand here, and it is the text {text:?}"),
        Value::Array(_) => format!("{wanted} must stand here, and it is a list"),
        Value::Object(_) => format!("{wanted} must stand here, and it is an object"),
    }
}

/// Says the same where what is there is shown to nobody.
fn other_than(wanted: &str, found: &Value) -> String {
    match found {
        Value::Number(_) => format!("{wanted} must stand here, and it is a number"),
        Value::String(_) => format!("{wanted} must stand here, and it is a text"),
        shown => other(wanted, shown),
    }
}

/// What may stand in a field.
enum Shape {
    /// Anything.
    Anything,
    /// A single value of a type.
    Scalar(&'static scalar::Scalar),
    /// An object with fields, by the number of its type.
    Object(usize),
    /// A list.
    List(Box<Shape>),
    /// An object whose keys are chosen freely.
    Map(Box<Shape>),
}

/// The types of objects that Kubernetes reads, by their names in order.
struct Types {
    names: Vec<&'static str>,
    /// The fields of each, in order.
    fields: Vec<Vec<(&'static str, Shape)>>,
}

impl Types {
    /// Reads the table: a line is a type, its fields each with what stands there.
    fn read(table: &'static str) -> Self {
        let lines = || table.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<_> = lines().filter_map(|line| line.split(' ').next()).collect();
        let field = |written: &'static str| {
            let (name, shape) = written.split_once(':')?;
            Some((name, shape_of(shape, &names)?))
        };
        let fields = lines().map(|line| line.split(' ').skip(1).filter_map(field).collect());
        Self { fields: fields.collect(), names }
    }

    /// Checks an object by the name of its type; whether there is one of that name.
    fn check_named(
        &self,
        name: &str,
        object: &Place<'_>,
        unreadable: &mut Vec<Unreadable>,
    ) -> bool {
        let found = self.names.binary_search(&name);
        found.inspect(|index| self.check(&Shape::Object(*index), object, unreadable)).is_ok()
    }

    fn check(&self, shape: &Shape, place: &Place<'_>, unreadable: &mut Vec<Unreadable>) {
        let Field::Is(value) = place.value() else { return };
        let wanted = match (shape, value) {
            (Shape::Anything, _) => return,
            (Shape::Scalar(scalar), _) if (scalar.is)(value) => return,
            (Shape::Object(index), Value::Object(_)) => {
                let known = &self.fields[*index];
                for (key, field) in place.fields() {
                    match known.binary_search_by_key(&key, |(name, _)| name) {
                        Ok(at) => self.check(&known[at].1, &field, unreadable),
                        Err(_) if place.texts().is_template(key) => unreadable.push(Unreadable {
                            pointer: field.pointer(),
                            why: "a template is still to fill in which field this is".to_owned(),
                        }),
                        Err(_) => {}
                    }
                }
                return;
            }
            (Shape::List(of), Value::Array(_)) => {
                place.items().for_each(|item| self.check(of, &item, unreadable));
                return;
            }
            (Shape::Map(of), Value::Object(_)) => {
                place.fields().for_each(|(_, field)| self.check(of, &field, unreadable));
                return;
            }
            (Shape::Scalar(scalar), _) => scalar.wanted,
            (Shape::List(_), _) => "a list",
            (Shape::Object(_) | Shape::Map(_), _) => "an object",
        };
        let why = match place.is_covered() {
            true => other_than(wanted, value),
            false => other(wanted, value),
        };
        unreadable.push(Unreadable { pointer: place.pointer(), why });
    }
}

/// Reads what may stand in a field; nothing where the table is wrong, which a test would see.
fn shape_of(written: &str, names: &[&str]) -> Option<Shape> {
    let inner = |open, close| written.strip_prefix(open)?.strip_suffix(close);
    if let Some(of) = inner('[', ']') {
        return Some(Shape::List(Box::new(shape_of(of, names)?)));
    }
    if let Some(of) = inner('{', '}') {
        return Some(Shape::Map(Box::new(shape_of(of, names)?)));
    }
    if written == "anything" {
        return Some(Shape::Anything);
    }
    let scalar = scalar::SCALARS.iter().find(|scalar| scalar.name == written);
    scalar.map(Shape::Scalar).or_else(|| names.binary_search(&written).ok().map(Shape::Object))
}
