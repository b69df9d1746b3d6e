//! An object that is being changed.

use serde_json::{Map, Value};

use super::Why;

/// An object, and how far changing it has come. Pointers begin at the object.
#[derive(Clone, Debug)]
pub(super) struct Draft<'d> {
    pub(super) object: Value,
    /// The pointer to its pod, or to the template of its pods.
    pub(super) template: &'d str,
}

impl Draft<'_> {
    /// Gives what stands at a pointer; null where nothing does.
    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.object.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Gives the pointer to a field of the pod's spec.
    pub(super) fn of_spec(&self, field: &str) -> String {
        format!("{}/spec/{field}", self.template)
    }

    /// Gives the pointers to all containers.
    pub(super) fn containers(&self) -> Vec<String> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let of_list = |list| {
            let pointer = self.of_spec(list);
            let length = self.at(&pointer).as_array().map_or(0, Vec::len);
            (0..length).map(move |index| format!("{pointer}/{index}"))
        };
        lists.into_iter().flat_map(of_list).collect()
    }

    /// Writes a value, and the objects that lead to it.
    pub(super) fn set(&mut self, pointer: &str, value: impl Into<Value>) -> Result<(), Why> {
        let mut place = &mut self.object;
        for token in pointer.split('/').skip(1) {
            let key = token.replace("~1", "/").replace("~0", "~");
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            place = match place {
                Value::Object(map) => map.entry(key).or_insert(Value::Null),
                Value::Array(list) => {
                    key.parse().ok().and_then(|at: usize| list.get_mut(at)).ok_or(Why::Elsewhere)?
                }
                _ => return Err(Why::Elsewhere),
            };
        }
        *place = value.into();
        Ok(())
    }

    /// Puts an item at the end of a list.
    pub(super) fn push(&mut self, pointer: &str, item: &str) -> Result<(), Why> {
        let mut list = self.at(pointer).as_array().cloned().unwrap_or_default();
        list.push(item.into());
        self.set(pointer, list)
    }

    /// Takes something away, and with it what held nothing else. Only a `securityContext`, a pod and what is
    /// above it stay: they would say less without it, so that something empty stays in them.
    pub(super) fn remove(&mut self, pointer: &str) {
        if self.object.pointer(pointer).is_none() {
            return;
        }
        let mut gone = pointer;
        while let Some((above, _)) = gone.rsplit_once('/') {
            if self.len(above) != 1 {
                return self.take(gone);
            }
            let name = above.rsplit('/').next().unwrap_or_default();
            let is_item = name.bytes().all(|byte| byte.is_ascii_digit());
            if is_item || ["securityContext", "spec", "metadata"].contains(&name) {
                break;
            }
            gone = above;
        }
        self.take(pointer);
    }

    fn len(&self, pointer: &str) -> usize {
        match self.at(pointer) {
            Value::Object(map) => map.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        }
    }

    fn take(&mut self, pointer: &str) {
        let Some((above, token)) = pointer.rsplit_once('/') else { return };
        match self.object.pointer_mut(above) {
            Some(Value::Object(map)) => {
                map.shift_remove(&token.replace("~1", "/").replace("~0", "~"));
            }
            Some(Value::Array(list)) => {
                if let Some(index) = token.parse().ok().filter(|index| *index < list.len()) {
                    list.remove(index);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Draft;

    fn removed(pointer: &str, object: Value) -> Value {
        let mut draft = Draft { object, template: "" };
        draft.remove(pointer);
        draft.object
    }

    #[test]
    fn what_held_nothing_else_goes_too_unless_it_says_less_then() {
        let add = "/securityContext/capabilities/add/0";
        let of = |capabilities: Value, more: Value| {
            let mut context = json!({"capabilities": capabilities});
            context.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"securityContext": context})
        };
        let bad = json!({"add": ["NET_RAW"]});
        assert_eq!(removed(add, of(bad.clone(), json!({}))), of(json!({"add": []}), json!({})));
        let rest = json!({"securityContext": {"a": 1}});
        assert_eq!(removed(add, of(bad, json!({"a": 1}))), rest);
        let both = json!({"add": ["NET_RAW", "CHOWN"]});
        assert_eq!(removed(add, of(both, json!({}))), of(json!({"add": ["CHOWN"]}), json!({})));
        let other = json!({"profile": {"type": "a"}});
        assert_eq!(removed("/profile/file", other.clone()), other);
    }

    #[test]
    fn what_leads_to_a_value_is_written_too() {
        let mut draft = Draft { object: json!({"spec": {"a": null}}), template: "" };
        draft.set("/spec/a/b~1c", true).unwrap();
        draft.push("/spec/d", "ALL").unwrap();
        assert_eq!(draft.object, json!({"spec": {"a": {"b/c": true}, "d": ["ALL"]}}));
        assert!(draft.set("/spec/d/7/x", true).is_err() && draft.set("/spec/d/0/x", true).is_err());
    }
}
