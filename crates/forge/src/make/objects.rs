//! Takes leave of API objects that the blueprint no longer has. Only what ringfort made is deleted;
//! of what was there before, or is not its own, it gives back the fields that it set.

use serde_json::{Value, json};

use ringfort_api::{ApiError, Extent, FIELD_MANAGER};
use ringfort_engine::{Planned, Report};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::blueprint::Blueprint;
use ringfort_model::event::Event;
use ringfort_model::known::KnownObject;
use ringfort_model::step::Difference;

use super::leave::Parting;
use super::{MakeError, Work};
use crate::drive::run::first;

/// Kinds that hold what is not ringfort's, whoever made them.
const HOLDERS: [&str; 2] = ["Namespace", "Node"];

/// What becomes of an object that the blueprint no longer has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// It is not there, or nothing of it is ringfort's.
    Forgotten,
    /// It goes.
    Deleted,
    /// It stays, without the fields that ringfort set.
    Released,
}

fn fate(known: &KnownObject, live: Option<&Value>) -> Fate {
    match live {
        Some(live) if !is_applied(live) => Fate::Forgotten,
        Some(_) if known.made && !HOLDERS.contains(&known.key.kind.as_str()) => Fate::Deleted,
        Some(_) => Fate::Released,
        None => Fate::Forgotten,
    }
}

/// Says whether ringfort owns fields of an object.
fn is_applied(live: &Value) -> bool {
    let managers = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let is_ours = |m: &Value| m["manager"] == FIELD_MANAGER && m["operation"] == "Apply";
    managers.is_some_and(|all| all.iter().any(is_ours))
}

/// An object with nothing set: applied, it gives back every field. With its uid it makes no other.
fn bare(key: &ObjectKey, live: &Value) -> Value {
    let mut metadata = json!({"name": key.name, "uid": live["metadata"]["uid"]});
    if let Some(namespace) = &key.namespace {
        metadata["namespace"] = namespace.clone().into();
    }
    json!({"apiVersion": key.api_version, "kind": key.kind, "metadata": metadata})
}

impl Work<'_> {
    /// Writes down what is about to be applied.
    pub(super) fn note_objects(&mut self, blueprint: &Blueprint) -> Result<(), MakeError> {
        let objects = &mut self.memory.trust.objects;
        let count = objects.len();
        for key in blueprint.objects.iter().map(|object| object.key()) {
            if !objects.iter().any(|known| known.is(&key)) {
                objects.insert(KnownObject { key, made: false });
            }
        }
        if objects.len() == count { Ok(()) } else { Ok(self.memory.save()?) }
    }

    /// Writes down what was not there before it was applied.
    pub(super) fn note_made(&mut self, report: &Report) -> Result<(), MakeError> {
        let objects = &mut self.memory.trust.objects;
        let before = objects.clone();
        for planned in &report.changes {
            let Planned::Object { key, because: Difference::Missing, .. } = planned else {
                continue;
            };
            objects.retain(|known| !known.is(key));
            objects.insert(KnownObject { key: key.clone(), made: true });
        }
        if *objects == before { Ok(()) } else { Ok(self.memory.save()?) }
    }

    /// Lists the objects that are to go or to be released, without doing it.
    pub(super) async fn unwanted(&self, blueprint: &Blueprint) -> Result<Vec<Parting>, MakeError> {
        let mut partings = Vec::new();
        for known in self.gone(blueprint) {
            let live = first(self.servers.values(), |server| server.get(&known.key)).await;
            if fate(&known, live.map_err(unasked(&known.key))?.as_ref()) != Fate::Forgotten {
                partings.push(Parting::of_object(&known.key));
            }
        }
        Ok(partings)
    }

    /// Deletes or releases what the blueprint no longer has.
    pub(super) async fn retire_objects(
        &mut self,
        blueprint: &Blueprint,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(), MakeError> {
        // What was applied last goes first.
        for known in self.gone(blueprint) {
            let key = &known.key;
            let live = first(self.servers.values(), |server| server.get(key))
                .await
                .map_err(unasked(key))?;
            let fate = fate(&known, live.as_ref());
            match (fate, &live) {
                (Fate::Deleted, _) => {
                    first(self.servers.values(), |server| server.delete(key))
                        .await
                        .map_err(unasked(key))?;
                }
                (Fate::Released, Some(live)) => {
                    let bare = bare(key, live);
                    let released =
                        first(self.servers.values(), |server| server.apply(&bare, Extent::Named))
                            .await;
                    released.map_err(unasked(key))?;
                }
                _ => {}
            }
            if fate != Fate::Forgotten {
                tell(Parting::of_object(key).event(self.seconds(), 0.0, None));
            }
            self.memory.trust.objects.remove(&known);
            self.memory.save()?;
        }
        Ok(())
    }

    fn gone(&self, blueprint: &Blueprint) -> Vec<KnownObject> {
        let keys: Vec<ObjectKey> = blueprint.objects.iter().map(|object| object.key()).collect();
        let is_gone = |known: &&KnownObject| !keys.iter().any(|key| known.is(key));
        self.memory.trust.objects.iter().filter(is_gone).cloned().collect()
    }
}

fn unasked(key: &ObjectKey) -> impl Fn(ApiError) -> MakeError {
    move |error| {
        MakeError::Other(format!("{key} is no longer wanted, but could not be taken away: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Fate, KnownObject, ObjectKey, bare, fate};

    fn known(kind: &str, made: bool) -> KnownObject {
        let (api_version, name) = ("v1".to_owned(), "a".to_owned());
        let key = ObjectKey { api_version, kind: kind.to_owned(), namespace: None, name };
        KnownObject { key, made }
    }

    fn live(manager: &str, operation: &str) -> Value {
        let fields = json!([{"manager": "kubectl", "operation": "Update"},
                            {"manager": manager, "operation": operation}]);
        json!({"metadata": {"name": "a", "uid": "u-1", "managedFields": fields}})
    }

    #[test]
    fn only_what_ringfort_made_and_still_owns_is_deleted() {
        let ours = live("ringfort", "Apply");
        let check = |known: KnownObject, live: Option<&Value>, expected: Fate| {
            assert_eq!(fate(&known, live), expected, "{known:?} {live:?}");
        };
        check(known("Role", true), Some(&ours), Fate::Deleted);
        check(known("Role", false), Some(&ours), Fate::Released);
        check(known("Role", true), None, Fate::Forgotten);
        check(known("Role", true), Some(&live("kubectl", "Apply")), Fate::Forgotten);
        check(known("Role", true), Some(&live("ringfort", "Update")), Fate::Forgotten);
        check(known("Role", true), Some(&json!({"metadata": {}})), Fate::Forgotten);
        check(known("Namespace", true), Some(&ours), Fate::Released);
        check(known("Node", true), Some(&ours), Fate::Released);
    }

    #[test]
    fn a_released_object_is_named_by_its_uid_and_says_nothing_else() {
        let bare = bare(&known("Role", false).key, &live("ringfort", "Apply"));
        let expected = json!({
            "apiVersion": "v1", "kind": "Role", "metadata": {"name": "a", "uid": "u-1"},
        });
        assert_eq!(bare, expected);
    }
}
