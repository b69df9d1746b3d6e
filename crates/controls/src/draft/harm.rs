//! Breaks a draft on purpose, before it is finished: what processes read and are told to start with then
//! follows from what was broken, as it would from what was meant.

use ringfort_model::api_object::ApiObject;
use ringfort_model::content::Content;
use ringfort_model::item::{ItemId, What};
use ringfort_model::name::NodeName;
use serde_json::{Value, json};

use super::flags::Join;
use super::pod::place;
use super::{Component, Draft, DraftFault, Sketch, Stamped};
use crate::control::Control;
use crate::paths;
use crate::sabotage::{Harm, Sabotage};

impl Draft<'_> {
    /// Breaks the draft on some machines; where there is nothing to break, that is a fault.
    pub fn break_by(&mut self, control: &Control, sabotage: &Sabotage, machines: &[NodeName]) {
        self.sign(control.id);
        let release = format!("v{}", self.given.bundle.kubernetes);
        for harm in sabotage.harms {
            let broken = match harm {
                Harm::Plugin(name, pointer, value) => self.break_plugin(name, pointer, value),
                Harm::Object(object) => self.put_object(parsed(object)),
                Harm::Rule(role, rule) => self.add_rule(role, rule),
                Harm::NoGuard | Harm::Guard(..) if self.guards_are_objects() => {
                    self.break_guard_objects(control.id, harm)
                }
                Harm::Live { .. } => true,
                _ => {
                    let sketches =
                        self.sketches.iter_mut().filter(|(node, _)| machines.contains(node));
                    let each = |(_, sketch): (_, &mut Sketch)| {
                        sketch.break_by(control.id, harm, (sabotage.name, &release))
                    };
                    sketches.map(each).fold(false, |any, broken| any | broken)
                }
            };
            if !broken {
                let what = format!("{harm:?}").chars().take(120).collect();
                self.fault(DraftFault::NothingToBreak { what });
            }
        }
    }

    fn break_plugin(&mut self, name: &str, pointer: &str, value: &str) -> bool {
        let Some(plugin) = self.plugins.get_mut(name) else { return false };
        place(&mut plugin.value, pointer, parsed(value));
        true
    }

    /// Puts it where its namespace is; one without a namespace is everywhere.
    fn put_object(&mut self, object: Value) -> bool {
        let object = ApiObject { by: self.by.to_owned(), object, presence: Default::default() };
        let is_there = |namespace: &String| {
            let known = self.objects.iter().map(ApiObject::key);
            namespace.starts_with("kube-")
                || known.into_iter().any(|key| key.kind == "Namespace" && key.name == *namespace)
        };
        if object.key().namespace.is_some_and(|namespace| !is_there(&namespace)) {
            return false;
        }
        match self.objects.iter_mut().find(|known| known.key() == object.key()) {
            Some(known) => *known = object,
            None => self.objects.push(object),
        }
        true
    }

    fn add_rule(&mut self, role: &str, rule: &str) -> bool {
        let is_it = |object: &&mut ApiObject| {
            let key = object.key();
            key.kind == "ClusterRole" && key.name == role
        };
        let rules = self.objects.iter_mut().find(is_it).map(|object| &mut object.object["rules"]);
        let Some(Value::Array(rules)) = rules else { return false };
        rules.push(parsed(rule));
        true
    }

    fn guards_are_objects(&self) -> bool {
        !self.plugins.contains_key("ValidatingAdmissionPolicy")
    }

    fn break_guard_objects(&mut self, by: &str, harm: &Harm) -> bool {
        let is_guard =
            |object: &ApiObject| object.by == by && object.key().kind.contains("AdmissionPolicy");
        let Harm::Guard(from, to) = harm else {
            let before = self.objects.len();
            self.objects.retain(|object| !is_guard(object));
            return self.objects.len() < before;
        };
        let mut any = false;
        for object in self.objects.iter_mut().filter(|object| is_guard(object)) {
            any |= exchange(&mut object.object, from, to);
        }
        any
    }
}

impl Sketch {
    fn break_by(&mut self, by: &'static str, harm: &Harm, (name, release): (&str, &str)) -> bool {
        match harm {
            Harm::Flag(component, flag, value) => {
                let value = value.replace("{kubernetes}", release);
                self.flags(*component).only(flag, value, by);
                true
            }
            Harm::NoFlag(component, flag) => self.flags(*component).remove(flag),
            Harm::NoValue(component, flag, value) => {
                self.flags(*component).remove_value(flag, value)
            }
            Harm::FirstValue(component, flag) => self.flags(*component).keep_first(flag),
            Harm::Value(component, flag, value) => {
                self.flags(*component).set(flag, Join::Commas, (*value).to_owned(), by).is_ok()
            }
            Harm::Setting(document, path, value) => {
                let value = Stamped { value: parsed(value), by };
                let settings = self.settings.get_mut(document);
                settings.is_some_and(|settings| {
                    settings.insert((*path).to_owned(), value);
                    true
                })
            }
            Harm::Pod(component, pointer, value) => {
                let value = Stamped { value: parsed(value), by };
                self.pod(*component).settings.insert(pointer, value);
                true
            }
            Harm::Restart(component) => self.restart(*component, by, name),
            Harm::File(path, text) => {
                self.text(path).map(|known| *known = (*text).into()).is_some()
            }
            Harm::Text(path, from, to) => {
                self.text(path).is_some_and(|text| replace(text, from, to))
            }
            Harm::Join(path, other) => {
                let more = self.text(other).cloned();
                more.zip(self.text(path)).map(|(more, text)| text.push_str(&more)).is_some()
            }
            Harm::Mode(path, new) => match self.what(path) {
                Some(What::File { mode, .. } | What::Directory { mode, .. }) => {
                    *mode = *new;
                    true
                }
                _ => false,
            },
            Harm::Owner(path, new) => match self.what(path) {
                Some(What::File { owner, .. } | What::Directory { owner, .. }) => {
                    *owner = *new;
                    true
                }
                _ => false,
            },
            Harm::Group(path, group) => match self.what(path) {
                Some(What::File { content: Content::Issued(request), .. }) => {
                    request.subject.organizations.insert((*group).to_owned())
                }
                _ => false,
            },
            Harm::AnyUse(path) => match self.what(path) {
                Some(What::File { content: Content::Issued(request), .. }) => {
                    !std::mem::take(&mut request.usages).is_empty()
                }
                _ => false,
            },
            Harm::NoGuard | Harm::Guard(..) => {
                self.break_guards(by, harm) && self.restart(Component::ApiServer, by, name)
            }
            Harm::Plugin(..) | Harm::Object(_) | Harm::Rule(..) | Harm::Live { .. } => false,
        }
    }

    /// Changes a component's pod in a way that means nothing but that it is started again.
    fn restart(&mut self, component: Component, by: &'static str, name: &str) -> bool {
        let value = json!({"ringfort.dev/broken-by": name});
        self.pod(component).settings.insert("/metadata/annotations", Stamped { value, by });
        true
    }

    fn break_guards(&mut self, by: &str, harm: &Harm) -> bool {
        let is_guard = |id: &ItemId, of: &str| matches!(id, ItemId::File(path) if of == by && path.starts_with(paths::ADMISSION));
        let Harm::Guard(from, to) = harm else {
            let before = self.items.len();
            self.items.retain(|id, item| !is_guard(id, &item.by));
            return self.items.len() < before;
        };
        let mut any = false;
        for (_, item) in self.items.iter_mut().filter(|(id, item)| is_guard(id, &item.by)) {
            if let What::File { content: Content::Text(text), .. } = &mut item.what {
                any |= replace(text, from, to);
            }
        }
        any
    }

    fn what(&mut self, path: &str) -> Option<&mut What> {
        let file = ItemId::file(path);
        let id = if self.items.contains_key(&file) { file } else { ItemId::directory(path) };
        self.items.get_mut(&id).map(|item| &mut item.what)
    }

    fn text(&mut self, path: &str) -> Option<&mut String> {
        match self.what(path)? {
            What::File { content: Content::Text(text), .. } => Some(text),
            _ => None,
        }
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).expect("what a sabotage writes is JSON, as tests see")
}

fn replace(text: &mut String, from: &str, to: &str) -> bool {
    let found = text.contains(from);
    *text = text.replace(from, to);
    found
}

/// Exchanges a part of every text in a value.
fn exchange(value: &mut Value, from: &str, to: &str) -> bool {
    match value {
        Value::String(text) => replace(text, from, to),
        Value::Array(all) => all.iter_mut().fold(false, |any, one| any | exchange(one, from, to)),
        Value::Object(all) => {
            all.values_mut().fold(false, |any, one| any | exchange(one, from, to))
        }
        _ => false,
    }
}
