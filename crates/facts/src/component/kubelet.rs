//! What a kubelet runs with: its flags over its drop-ins over its file over defaults, or its own word.
//!
//! Without its own word, what its files say is taken for what it read when it started.
//!
//! Never here: flags without a field in `KubeletConfiguration`; those are `Settings`.

mod fields;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use ringfort_model::judgement::Gap;

use super::files::unseen;
use super::merge;
use super::settings::{Settings, uncovered};
use super::value::{Kind, Value};
use crate::fact::{Fact, Seen, Source};
use fields::{Empty, FIELDS, Field, legacy};

/// A kubelet that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Kubelet {
    /// Its command line and the files of its machine.
    pub settings: Settings,
    /// What it answered to `/configz`, where it was asked.
    pub configz: Option<Json>,
}

impl Kubelet {
    /// Gives a field of `KubeletConfiguration` by its path, as in `authentication.anonymous.enabled`.
    pub fn value(&self, path: &str) -> Fact<Value> {
        let Some(field) = FIELDS.iter().find(|field| field.path == path) else {
            return Fact::gap(
                format!("{path} of the kubelet is not known here"),
                "a field that is known here",
            );
        };
        match path {
            "seccompDefault" => self.seccomp(field).into(),
            _ => self.field(field).into(),
        }
    }

    /// Gives a boolean field.
    pub fn boolean(&self, path: &str) -> Fact<bool> {
        self.value(path).then(|value| match value {
            Value::Boolean(on) => Ok(on),
            _ => Err(not_of_its_type(path)),
        })
    }

    /// Gives a field that is a number.
    pub fn number(&self, path: &str) -> Fact<i64> {
        self.value(path).then(|value| match value {
            Value::Number(number) => Ok(number),
            _ => Err(not_of_its_type(path)),
        })
    }

    /// Gives a field that is a text; it is empty where nothing is set.
    pub fn text(&self, path: &str) -> Fact<String> {
        self.value(path).then(|value| match value {
            Value::Text(text) => Ok(text),
            Value::Address(address) => Ok(address.to_string()),
            _ => Err(not_of_its_type(path)),
        })
    }

    fn field(&self, field: &Field) -> Result<Seen<Value>, Gap> {
        match &self.configz {
            Some(configz) => answered(field, configz),
            None => self.observed(field),
        }
    }

    /// The flag and the field are two settings, and one of them is enough to switch it on
    /// (cmd/kubelet/app/server.go, `RunKubelet`).
    fn seccomp(&self, field: &Field) -> Result<Seen<Value>, Gap> {
        let by_field = Field { flag: None, ..*field };
        let on = Value::Boolean(true);
        let flagged = self.flag("seccomp-default", Kind::Boolean);
        match (flagged, self.field(&by_field)) {
            (Ok(Some(seen)), _) if seen.value == on => Ok(seen),
            (_, Ok(seen)) if seen.value == on => Ok(seen),
            (Err(gap), _) => Err(gap),
            (Ok(_), field) => field,
        }
    }

    /// Gives what a flag was given; it wins over every file (cmd/kubelet/app/server.go,
    /// `kubeletConfigFlagPrecedence`).
    fn flag(&self, name: &str, kind: Kind) -> Result<Option<Seen<Value>>, Gap> {
        let line = &self.settings.command_line.known()?.value;
        let Some(given) = line.given(name)? else { return Ok(None) };
        uncovered(given.iter(), || format!("--{name}"))?;
        let value = kind.read(given).ok_or_else(|| Gap {
            said: format!("what --{name} of the kubelet is set to cannot be read"),
            closes: format!("a value of --{name} that can be read"),
        })?;
        Ok(Some(Seen { value, source: Source::Flag(name.to_owned()) }))
    }

    fn observed(&self, field: &Field) -> Result<Seen<Value>, Gap> {
        let flagged = match field.flag {
            Some(name) => self.flag(name, field.kind)?,
            None => None,
        };
        match flagged {
            Some(Seen { value: Value::Gates(over), source }) => {
                Ok(Seen { value: self.gates(field, over)?, source })
            }
            Some(seen) => Ok(seen),
            None => self.by_files(field),
        }
    }

    /// Gates of the command line are laid over those of the files, one by one.
    fn gates(&self, field: &Field, over: BTreeMap<String, bool>) -> Result<Value, Gap> {
        let Value::Gates(mut gates) = self.by_files(field)?.value else {
            return Err(not_of_its_type(field.path));
        };
        gates.extend(over);
        Ok(Value::Gates(gates))
    }

    /// Gives what the files make of a field, or its default.
    fn by_files(&self, field: &Field) -> Result<Seen<Value>, Gap> {
        let file = self.settings.text("config").known()?.value.clone();
        let directory = self.settings.text("config-dir").known()?.value.clone();
        if file.is_empty() && directory.is_empty() {
            let text = field.legacy.unwrap_or(field.default);
            return self.by_default(field, text);
        }
        let (mut merged, mut source) = match file.is_empty() {
            true => (legacy(), Source::Default("kubelet".to_owned())),
            false => (self.document(&file)?, Source::File(file)),
        };
        // What a kubelet's own file spells in another way is no field: it warns, and goes on without it
        // (pkg/kubelet/kubeletconfig/util/codec, `DecodeKubeletConfiguration`). What is merged with drop-ins is
        // read again by a decoder that takes any case.
        merge::drop_misspelt(&mut merged, field.path);
        find(field, &merged, &source)?;
        for path in self.drop_ins(&directory)? {
            let change = self.document(&path)?;
            let before = merge::field(&merged, field.path).ok().flatten().cloned();
            merge::patch(&mut merged, &change);
            if merge::field(&merged, field.path).ok().flatten() != before.as_ref() {
                source = Source::File(path);
            }
        }
        match find(field, &merged, &source)? {
            Some(value) => Ok(Seen { value, source }),
            None => self.by_default(field, field.default),
        }
    }

    fn by_default(&self, field: &Field, text: &str) -> Result<Seen<Value>, Gap> {
        self.settings.minor.is_not_foreign()?;
        by_default(field, text)
    }

    /// Names the drop-ins that are laid over its file.
    ///
    /// # Errors
    /// Its command line or the directory was not seen.
    pub fn drop_in_files(&self) -> Result<Vec<String>, Gap> {
        self.drop_ins(&self.settings.text("config-dir").known()?.value)
    }

    /// Lists drop-ins in the order in which they are laid over the file.
    fn drop_ins(&self, directory: &str) -> Result<Vec<String>, Gap> {
        if directory.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.settings.files.below(directory)?.iter();
        let mut names: Vec<_> = listed.filter(|name| name.ends_with(".conf")).collect();
        names.sort_by_key(|name| name.split('/').collect::<Vec<_>>());
        Ok(names
            .into_iter()
            .map(|name| format!("{}/{name}", directory.trim_end_matches('/')))
            .collect())
    }

    fn document(&self, path: &str) -> Result<Json, Gap> {
        self.settings.files.document(path, "kubelet.config.k8s.io", "KubeletConfiguration")
    }
}

/// Reads a field of a document; `None` where it counts as not set.
fn find(field: &Field, document: &Json, source: &Source) -> Result<Option<Value>, Gap> {
    let place = source.to_string();
    let found = merge::field(document, field.path);
    let Some(found) = found.map_err(|error| unseen(&place, &error.to_string()))? else {
        return Ok(None);
    };
    uncovered(found.as_str().iter(), || format!("{} in {place}", field.path))?;
    let value = merge::decode(field.kind, found)
        .ok_or_else(|| unseen(&place, &format!("has a {} that cannot be read", field.path)))?;
    Ok((!counts_as_unset(field, &value)).then_some(value))
}

fn counts_as_unset(field: &Field, value: &Value) -> bool {
    let is_empty = match value {
        Value::Text(text) => text.is_empty(),
        Value::Number(number) => *number == 0,
        Value::Nanoseconds(span) => *span == 0,
        _ => false,
    };
    // No limit of processes is written as any negative number, and is -1 then.
    let is_unlimited = field.path == "podPidsLimit" && matches!(value, Value::Number(..0));
    field.empty == Empty::Unset && is_empty || is_unlimited
}

/// Reads what the kubelet itself says. It leaves out only what is empty and may be.
fn answered(field: &Field, configz: &Json) -> Result<Seen<Value>, Gap> {
    let path = format!("kubeletconfig.{}", field.path);
    let source = Source::Configz;
    let unclear = |why: &str| unseen("/configz", why);
    let inner = configz.get("kubeletconfig").filter(|inner| inner.is_object());
    if inner.is_none() {
        return Err(unclear("holds no kubeletconfig"));
    }
    match merge::field(configz, &path).map_err(|error| unclear(&error.to_string()))? {
        Some(found) => merge::decode(field.kind, found)
            .map(|value| Seen { value, source })
            .ok_or_else(|| unclear(&format!("has a {} that cannot be read", field.path))),
        None if field.empty == Empty::Same => {
            Ok(Seen { value: by_default(field, field.default)?.value, source })
        }
        None => Err(unclear(&format!("has no {}", field.path))),
    }
}

fn by_default(field: &Field, text: &str) -> Result<Seen<Value>, Gap> {
    let given = match text.is_empty() && field.kind != Kind::Text {
        true => Vec::new(),
        false => vec![text.to_owned()],
    };
    let value = field.kind.read(&given).ok_or_else(|| not_of_its_type(field.path))?;
    Ok(Seen { value, source: Source::Default("kubelet".to_owned()) })
}

fn not_of_its_type(path: &str) -> Gap {
    Gap {
        said: format!("{path} of the kubelet is of another type than was asked for"),
        closes: "a question of its own type".to_owned(),
    }
}

#[cfg(test)]
mod tests;
