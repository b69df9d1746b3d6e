//! Finds the objects of a document: the one that it is, or those of a list.

use serde_json::Value;

use crate::fault::Unreadable;
use crate::kinds::{KINDS, Kind, is_plain};
use crate::shape;
use crate::texts::Texts;

/// An object of a document.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) object: &'a Value,
    /// The JSON pointer from the document to it.
    pub(crate) pointer: String,
    pub(crate) named: Named<'a>,
    /// What it does not say of itself, or says wrongly.
    pub(crate) unreadable: Option<Unreadable>,
}

/// What an object says it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named<'a> {
    /// Of a kind that is judged.
    Known(&'static Kind),
    /// Of a kind of Kubernetes that nothing is asked of.
    Plain,
    /// Of a kind that Kubernetes does not have by itself.
    Foreign(&'a str),
    /// Nobody can say.
    Unsaid,
}

/// Gives the objects of a document. One that does not say what it is cannot be read.
pub(crate) fn objects(document: &Value) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    if !document.is_null() {
        gather(document, String::new(), None, &mut found);
    }
    found
}

fn gather<'a>(
    object: &'a Value,
    pointer: String,
    listed: Option<&'static Kind>,
    found: &mut Vec<Found<'a>>,
) {
    let (named, unread) = match name(object, listed) {
        Ok(Said::List(items, kind)) => {
            for (index, item) in items.iter().enumerate() {
                gather(item, format!("{pointer}/items/{index}"), kind, found);
            }
            return;
        }
        Ok(Said::One(named, unread)) => (named, unread),
        Err(unread) => (Named::Unsaid, Some(unread)),
    };
    let unreadable = unread.map(|unread| unread.under(&pointer));
    found.push(Found { object, pointer, named, unreadable });
}

/// What an object says.
enum Said<'a> {
    /// What it is. Its version may be unreadable.
    One(Named<'a>, Option<Unread>),
    /// That it is a list, of one kind or of all.
    List(&'a [Value], Option<&'static Kind>),
}

/// A field of an object that cannot be read, and why.
struct Unread(&'static str, String);

impl Unread {
    fn under(self, pointer: &str) -> Unreadable {
        Unreadable { pointer: format!("{pointer}{}", self.0), why: self.1 }
    }
}

/// Reads what an object says it is. The items of a list of one kind need not say it.
fn name<'a>(object: &'a Value, listed: Option<&'static Kind>) -> Result<Said<'a>, Unread> {
    if !object.is_object() {
        return Err(Unread("", shape::other("an object", object)));
    }
    let version = &object["apiVersion"];
    let kind = match (&object["kind"], listed) {
        (Value::Null, Some(kind)) if version.is_null() => {
            return Ok(Said::One(Named::Known(kind), None));
        }
        // No server has a kind of such a name: it is of a template wherever it stands.
        (Value::String(kind), _) if !Texts::Written.is_template(kind) => kind.as_str(),
        (other, _) => return Err(Unread("/kind", shape::other("the kind of object", other))),
    };
    let (stem, is_list) = kind.strip_suffix("List").map_or((kind, false), |stem| (stem, true));
    let known = KINDS.iter().find(|known| {
        known.name == stem && version.as_str().is_none_or(|version| known.is_of(version))
    });
    match known {
        Some(known) if !is_list => {
            Ok(Said::One(Named::Known(known), unread_version(known, version)))
        }
        None if kind != "List" => Ok(Said::One(other(kind, version), None)),
        known => match &object["items"] {
            Value::Null => Ok(Said::List(&[], known)),
            Value::Array(items) => Ok(Said::List(items, known)),
            other => Err(Unread("/items", shape::other("a list", other))),
        },
    }
}

fn other<'a>(kind: &'a str, version: &Value) -> Named<'a> {
    let stem = kind.strip_suffix("List").unwrap_or(kind);
    match version.as_str() {
        Some(version) if is_plain(stem, version) => Named::Plain,
        _ => Named::Foreign(kind),
    }
}

/// Says why a version cannot be read, if it cannot.
fn unread_version(kind: &Kind, version: &Value) -> Option<Unread> {
    match version.as_str() {
        Some(known) if kind.versions.contains(&known) => None,
        _ => Some(Unread("/apiVersion", shape::other(kind.versions[0], version))),
    }
}
