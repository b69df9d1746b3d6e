//! What the enforcer knows: objects as they are heard of, and whether all of them were.

use std::collections::BTreeMap;

use ringfort_api::{Heard, Watched};
use serde_json::Value;

use crate::core::{Labels, Place, Pod, Policy, World, labels, place, pod, policy, with_name};

/// The three kinds that decide who may talk to whom.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    Namespaces,
    Pods,
    Policies,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Namespaces, Self::Pods, Self::Policies];

    pub(super) fn watched(self) -> Watched {
        match self {
            Self::Namespaces => {
                Watched { group: "", version: "v1", kind: "Namespace", plural: "namespaces" }
            }
            Self::Pods => Watched { group: "", version: "v1", kind: "Pod", plural: "pods" },
            Self::Policies => Watched {
                group: "networking.k8s.io",
                version: "v1",
                kind: "NetworkPolicy",
                plural: "networkpolicies",
            },
        }
    }
}

/// What is heard of a kind, read as soon as it comes: objects are large, and most of them is not
/// needed.
pub(super) enum News {
    Begin,
    Namespace(String, Labels),
    Pod(Place, Box<Pod>),
    Policy(Place, Policy),
    Complete,
    Gone(Place),
    Listening,
    Trouble(String),
}

impl News {
    /// Reads what was heard; nothing of what has no name.
    pub(super) fn read(kind: Kind, heard: &Heard) -> Option<Self> {
        Some(match heard {
            Heard::Begin => Self::Begin,
            Heard::Complete => Self::Complete,
            Heard::Listening => Self::Listening,
            Heard::Trouble(error) => Self::Trouble(error.to_string()),
            Heard::Gone(object) => Self::Gone(place(object)?),
            Heard::Object(object) => Self::object(kind, object)?,
        })
    }

    fn object(kind: Kind, object: &Value) -> Option<Self> {
        let place = place(object)?;
        Some(match kind {
            Kind::Namespaces => {
                let labels = with_name(labels(object), &place.name);
                Self::Namespace(place.name, labels)
            }
            Kind::Pods => Self::Pod(place, Box::new(pod(object))),
            Kind::Policies => {
                let policy = policy(object).unwrap_or_else(|error| {
                    tracing::warn!(%error, "a policy that cannot be read closes its whole namespace");
                    Policy::closed()
                });
                Self::Policy(place, policy)
            }
        })
    }
}

/// The world as it is heard of.
pub(super) struct State {
    pub(super) world: World,
    /// Objects of a list that is still being told, which take the place of all others at its end.
    listing: BTreeMap<Kind, World>,
    /// Kinds that were told of whole at least once.
    complete: Vec<Kind>,
    /// What is in the way of hearing a kind, if anything.
    pub(super) trouble: BTreeMap<Kind, String>,
}

impl State {
    pub(super) fn new(world: World) -> Self {
        Self { world, listing: BTreeMap::new(), complete: Vec::new(), trouble: BTreeMap::new() }
    }

    /// Says whether enough was heard to decide.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.len() == Kind::ALL.len()
    }

    /// Says whether all that happens is heard of now: whoever begins must not begin by old policies.
    pub(super) fn is_current(&self) -> bool {
        self.is_complete() && self.trouble.is_empty()
    }

    /// Takes news, and says whether there is something to decide.
    pub(super) fn take(&mut self, kind: Kind, news: News) -> bool {
        let again = !matches!(news, News::Trouble(_)) && self.trouble.remove(&kind).is_some();
        if again {
            tracing::info!(?kind, "heard again");
        }
        let changed = match news {
            News::Begin => {
                self.listing.insert(kind, World::default());
                false
            }
            News::Listening => false,
            News::Complete => self.complete(kind),
            News::Trouble(why) => {
                if self.trouble.get(&kind) != Some(&why) {
                    tracing::warn!(?kind, why, "not heard; the rules stay as they are");
                }
                self.trouble.insert(kind, why);
                false
            }
            object => match self.listing.get_mut(&kind) {
                // What is still being told takes its place at the end.
                Some(listing) => {
                    put(listing, kind, object);
                    false
                }
                None => put(&mut self.world, kind, object),
            },
        };
        changed || again
    }

    fn complete(&mut self, kind: Kind) -> bool {
        let Some(listed) = self.listing.remove(&kind) else { return false };
        let first = !self.complete.contains(&kind);
        if first {
            self.complete.push(kind);
        }
        let world = &mut self.world;
        let changed = match kind {
            Kind::Namespaces => replace(&mut world.namespaces, listed.namespaces),
            Kind::Pods => replace(&mut world.pods, listed.pods),
            Kind::Policies => replace(&mut world.policies, listed.policies),
        };
        first || changed
    }
}

fn put(world: &mut World, kind: Kind, news: News) -> bool {
    match news {
        News::Namespace(name, labels) => set(&mut world.namespaces, name, labels),
        News::Pod(place, pod) => set(&mut world.pods, place, *pod),
        News::Policy(place, policy) => set(&mut world.policies, place, policy),
        News::Gone(place) => match kind {
            Kind::Namespaces => world.namespaces.remove(&place.name).is_some(),
            Kind::Pods => world.pods.remove(&place).is_some(),
            Kind::Policies => world.policies.remove(&place).is_some(),
        },
        News::Begin | News::Complete | News::Listening | News::Trouble(_) => false,
    }
}

fn set<K: Ord, V: PartialEq>(map: &mut BTreeMap<K, V>, key: K, value: V) -> bool {
    if map.get(&key) == Some(&value) {
        return false;
    }
    map.insert(key, value);
    true
}

fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let changed = *old != new;
    *old = new;
    changed
}

#[cfg(test)]
mod tests {
    use ringfort_api::Heard;
    use serde_json::{Value, json};

    use super::{Kind, News, State};
    use crate::core::{Place, Policy, World};

    fn pod(name: &str, ip: &str) -> Value {
        json!({
            "metadata": {"namespace": "a", "name": name, "uid": name},
            "status": {"podIP": ip},
        })
    }

    fn tell(state: &mut State, kind: Kind, heard: &Heard) -> bool {
        state.take(kind, News::read(kind, heard).unwrap())
    }

    #[test]
    fn a_new_list_takes_the_place_of_the_old_one_at_its_end() {
        let mut state = State::new(World::default());
        let names = |state: &State| -> Vec<String> {
            state.world.pods.keys().map(|place| place.name.clone()).collect()
        };
        let object = |name| Heard::Object(pod(name, "10.0.0.1"));
        for heard in [Heard::Begin, object("one"), object("two")] {
            tell(&mut state, Kind::Pods, &heard);
        }
        assert_eq!(names(&state), Vec::<String>::new());
        assert!(tell(&mut state, Kind::Pods, &Heard::Complete));
        assert_eq!(names(&state), ["one", "two"]);
        for heard in [Heard::Begin, object("two")] {
            assert!(!tell(&mut state, Kind::Pods, &heard));
            assert_eq!(names(&state), ["one", "two"]);
        }
        assert!(tell(&mut state, Kind::Pods, &Heard::Complete));
        assert_eq!(names(&state), ["two"]);
    }

    #[test]
    fn what_changes_nothing_is_no_news() {
        let mut state = State::new(World::default());
        assert!(tell(&mut state, Kind::Pods, &Heard::Object(pod("one", "10.0.0.1"))));
        let mut same = pod("one", "10.0.0.1");
        same["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
        assert!(!tell(&mut state, Kind::Pods, &Heard::Object(same)));
        assert!(tell(&mut state, Kind::Pods, &Heard::Object(pod("one", "10.0.0.2"))));
        assert!(tell(&mut state, Kind::Pods, &Heard::Gone(pod("one", "10.0.0.2"))));
    }

    #[test]
    fn what_is_not_heard_any_more_is_not_current_until_it_is_heard_again() {
        let mut state = State::new(World::default());
        for kind in Kind::ALL {
            tell(&mut state, kind, &Heard::Begin);
            tell(&mut state, kind, &Heard::Complete);
        }
        assert!(state.is_current());
        let trouble = Heard::Trouble(ringfort_api::ApiError::Unreachable { why: "away".into() });
        assert!(!tell(&mut state, Kind::Policies, &trouble));
        assert!(!state.is_current());
        assert!(!tell(&mut state, Kind::Pods, &Heard::Listening));
        assert!(!state.is_current());
        // Whoever waits for it is answered now.
        assert!(tell(&mut state, Kind::Policies, &Heard::Listening));
        assert!(state.is_current());
    }

    #[test]
    fn a_policy_that_cannot_be_read_closes() {
        let mut state = State::new(World::default());
        let object = json!({
            "metadata": {"namespace": "a", "name": "odd"},
            "spec": {"podSelector": {}, "ingress": [{"from": [{"fromTheFuture": {}}]}]},
        });
        assert!(tell(&mut state, Kind::Policies, &Heard::Object(object)));
        assert_eq!(state.world.policies[&Place::new("a", "odd")], Policy::closed());
    }

    #[test]
    fn nothing_is_decided_before_all_three_kinds_were_told_of() {
        let mut state = State::new(World::default());
        for kind in Kind::ALL {
            assert!(!state.is_complete());
            tell(&mut state, kind, &Heard::Begin);
            tell(&mut state, kind, &Heard::Complete);
        }
        assert!(state.is_complete());
    }
}
