//! What the enforcer knows: objects as they are heard of, and whether all of them were.

use std::collections::BTreeMap;
use std::time::Duration;

use ringfort_api::Heard;
use serde_json::Value;
use tokio::time::Instant;

use ringfort_policy::{
    Labels, Place, Pod, Policy, WiderKind, WiderName, WiderPolicy, World, labels, place, pod,
    policy, wider, with_name,
};

/// The kinds that decide who may talk to whom.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    Namespaces,
    Pods,
    Policies,
    /// Cluster-wide policies, which not every cluster has.
    Wider(WiderKind),
}

impl Kind {
    /// The kinds that every cluster has.
    pub(super) const ALWAYS: [Self; 3] = [Self::Namespaces, Self::Pods, Self::Policies];

    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::ALWAYS.into_iter().chain(WiderKind::ALL.map(Self::Wider))
    }

    /// Gives its name in addresses.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Pods => "pods",
            Self::Policies => "networkpolicies",
            Self::Wider(kind) => kind.plural(),
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
    Wider(WiderName, Box<WiderPolicy>),
    Complete,
    Gone(Place),
    Listening,
    Trouble(String),
    /// The server does not know the kind; or only in ways that are not read, which are named.
    Absent(Option<String>),
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
            Kind::Wider(kind) => {
                let (name, policy) = wider(kind, object)?;
                for doubt in policy.doubts() {
                    tracing::warn!(policy = %name, doubt, "rules that are not understood close");
                }
                Self::Wider(name, Box::new(policy))
            }
        })
    }
}

/// How long a watch that is heard again may take to tell what was missed: nothing says where that ends, and it
/// comes first.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The world as it is heard of.
pub(super) struct State {
    pub(super) world: World,
    /// Objects of a list that is still being told, which take the place of all others at its end.
    listing: BTreeMap<Kind, World>,
    /// Kinds that were told of whole at least once.
    complete: Vec<Kind>,
    /// What is in the way of hearing a kind, if anything.
    pub(super) trouble: BTreeMap<Kind, String>,
    /// Kinds that are heard again, and until when what was missed of them may still come.
    catching_up: BTreeMap<Kind, Instant>,
    /// Kinds that the server has in ways that are not read.
    pub(super) unread: BTreeMap<Kind, String>,
}

impl State {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            listing: BTreeMap::new(),
            complete: Vec::new(),
            trouble: BTreeMap::new(),
            catching_up: BTreeMap::new(),
            unread: BTreeMap::new(),
        }
    }

    /// Says whether enough was heard to decide.
    pub(super) fn is_complete(&self) -> bool {
        Kind::all().all(|kind| self.complete.contains(&kind))
    }

    /// Says why not all that happens is heard of now, if so: whoever begins must not begin by old policies.
    ///
    /// A list that has begun is of now, and what is in force is still what was heard of before it.
    pub(super) fn is_behind(&self) -> Option<String> {
        let away = self.trouble.iter().map(|(kind, why)| format!("{}: {why}", kind.plural()));
        let listing = self.listing.keys().map(|kind| format!("{} are listed anew", kind.plural()));
        let late = self.catching_up.keys();
        let late = late.map(|kind| format!("{} were missed for a while", kind.plural()));
        let unheard = Kind::all().filter(|kind| !self.complete.contains(kind));
        let unheard = unheard.map(|kind| format!("{} were not told of yet", kind.plural()));
        away.chain(listing).chain(late).chain(unheard).next()
    }

    /// Takes it that time has passed, and says whether there is something to decide: whoever waits for it is
    /// answered.
    pub(super) fn passed(&mut self, now: Instant) -> bool {
        let before = self.catching_up.len();
        self.catching_up.retain(|_, until| *until > now);
        self.catching_up.len() < before
    }

    /// Takes news, and says whether there is something to decide.
    pub(super) fn take(&mut self, kind: Kind, news: News, now: Instant) -> bool {
        let is_heard = matches!(news, News::Complete | News::Listening | News::Absent(_));
        let again = is_heard && self.trouble.remove(&kind).is_some();
        if again {
            tracing::info!(?kind, "heard again");
        }
        let changed = match news {
            News::Begin => {
                self.listing.insert(kind, World::default());
                false
            }
            News::Listening => {
                if again {
                    self.catching_up.insert(kind, now + CATCH_UP);
                }
                false
            }
            News::Complete => {
                self.unread.remove(&kind);
                self.complete(kind)
            }
            News::Absent(unread) => self.absent(kind, unread),
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

    /// Takes it that there is nothing of a kind.
    fn absent(&mut self, kind: Kind, unread: Option<String>) -> bool {
        if let Some(why) = &unread
            && self.unread.get(&kind) != Some(why)
        {
            tracing::warn!(?kind, why, "not read, and so not enforced");
        }
        match unread {
            Some(why) => self.unread.insert(kind, why),
            None => self.unread.remove(&kind),
        };
        self.listing.insert(kind, World::default());
        self.complete(kind)
    }

    fn complete(&mut self, kind: Kind) -> bool {
        let Some(listed) = self.listing.remove(&kind) else { return false };
        self.catching_up.remove(&kind);
        let first = !self.complete.contains(&kind);
        if first {
            self.complete.push(kind);
        }
        let world = &mut self.world;
        let changed = match kind {
            Kind::Namespaces => replace(&mut world.namespaces, listed.namespaces),
            Kind::Pods => replace(&mut world.pods, listed.pods),
            Kind::Policies => replace(&mut world.policies, listed.policies),
            Kind::Wider(kind) => {
                let mut wider = world.wider.clone();
                wider.retain(|name, _| name.kind != kind);
                wider.extend(listed.wider);
                replace(&mut world.wider, wider)
            }
        };
        first || changed
    }
}

fn put(world: &mut World, kind: Kind, news: News) -> bool {
    match news {
        News::Namespace(name, labels) => set(&mut world.namespaces, name, labels),
        News::Pod(place, pod) => set(&mut world.pods, place, *pod),
        News::Policy(place, policy) => set(&mut world.policies, place, policy),
        News::Wider(name, policy) => set(&mut world.wider, name, *policy),
        News::Gone(place) => match kind {
            Kind::Namespaces => world.namespaces.remove(&place.name).is_some(),
            Kind::Pods => world.pods.remove(&place).is_some(),
            Kind::Policies => world.policies.remove(&place).is_some(),
            Kind::Wider(kind) => {
                world.wider.remove(&WiderName { kind, name: place.name }).is_some()
            }
        },
        News::Begin | News::Complete | News::Listening | News::Trouble(_) | News::Absent(_) => {
            false
        }
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

    use super::{CATCH_UP, Instant};
    use super::{Kind, News, State};
    use ringfort_policy::{Place, Policy, WiderKind, World};

    fn pod(name: &str, ip: &str) -> Value {
        json!({
            "metadata": {"namespace": "a", "name": name, "uid": name},
            "status": {"podIP": ip},
        })
    }

    fn tell(state: &mut State, kind: Kind, heard: &Heard) -> bool {
        state.take(kind, News::read(kind, heard).unwrap(), Instant::now())
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

    fn trouble() -> Heard {
        Heard::Trouble(ringfort_api::ApiError::Unreachable { why: "away".into() })
    }

    /// A state that has heard all there is.
    fn heard() -> State {
        let mut state = State::new(World::default());
        for kind in Kind::all() {
            tell(&mut state, kind, &Heard::Begin);
            tell(&mut state, kind, &Heard::Complete);
        }
        assert!(state.is_complete() && state.is_behind().is_none());
        state
    }

    #[test]
    fn what_is_heard_again_is_behind_until_what_was_missed_has_come() {
        let mut state = heard();
        assert!(!tell(&mut state, Kind::Policies, &trouble()));
        assert_eq!(
            state.is_behind().unwrap(),
            "networkpolicies: the API server cannot be reached: away"
        );
        assert!(!tell(&mut state, Kind::Pods, &Heard::Listening));
        assert!(state.is_behind().is_some(), "another kind says nothing of it");
        let now = Instant::now();
        state.take(Kind::Policies, News::Listening, now);
        assert!(state.is_behind().unwrap().starts_with("networkpolicies were missed"));
        assert!(!state.passed(now) && state.is_behind().is_some());
        // Whoever waits for it is answered now.
        assert!(state.passed(now + CATCH_UP) && state.is_behind().is_none());
        // A watch that ended in order has missed nothing.
        state.take(Kind::Policies, News::Listening, now);
        assert_eq!(state.is_behind(), None);
    }

    #[test]
    fn a_list_that_only_began_tells_nothing_of_now() {
        for is_away in [false, true] {
            let mut state = heard();
            if is_away {
                tell(&mut state, Kind::Policies, &trouble());
            }
            tell(&mut state, Kind::Policies, &Heard::Begin);
            let policy = json!({"metadata": {"namespace": "a", "name": "closing"}, "spec": {}});
            tell(&mut state, Kind::Policies, &Heard::Object(policy));
            assert!(state.is_behind().is_some(), "the policy is not in force yet");
            assert!(tell(&mut state, Kind::Policies, &Heard::Complete));
            assert_eq!((state.is_behind(), state.world.policies.len()), (None, 1));
        }
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

    fn wider(name: &str) -> Heard {
        Heard::Object(json!({"metadata": {"name": name}, "spec": {
            "tier": "Admin", "priority": 1, "subject": {"namespaces": {}},
            "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}],
        }}))
    }

    #[test]
    fn nothing_is_decided_before_every_kind_was_told_of_or_is_not_there() {
        let mut state = State::new(World::default());
        for kind in Kind::ALWAYS {
            tell(&mut state, kind, &Heard::Begin);
            tell(&mut state, kind, &Heard::Complete);
        }
        for kind in WiderKind::ALL {
            assert!(!state.is_complete());
            assert!(state.is_behind().unwrap().ends_with("were not told of yet"));
            assert!(state.take(Kind::Wider(kind), News::Absent(None), Instant::now()));
        }
        assert!(state.is_complete());
        // The same once more is nothing to decide.
        assert!(!state.take(Kind::Wider(WiderKind::Cluster), News::Absent(None), Instant::now()));
    }

    #[test]
    fn cluster_wide_policies_stay_in_force_until_it_is_known_that_they_are_gone() {
        let mut state = State::new(World::default());
        let kind = Kind::Wider(WiderKind::Cluster);
        let other = Kind::Wider(WiderKind::Admin);
        for heard in [Heard::Begin, wider("one"), Heard::Complete] {
            tell(&mut state, kind, &heard);
        }
        let now = Instant::now();
        assert!(state.take(other, News::Absent(None), now), "that it is not there was not known");
        tell(&mut state, kind, &trouble());
        assert_eq!(state.world.wider.len(), 1, "what is of another kind, or not heard, stays");
        assert!(!state.trouble.is_empty());
        assert!(state.take(kind, News::Absent(Some("only in v9".to_owned())), now));
        assert_eq!((state.world.wider.len(), state.unread.len()), (0, 1));
        for heard in [Heard::Begin, wider("two"), Heard::Complete] {
            tell(&mut state, kind, &heard);
        }
        assert!(tell(&mut state, kind, &Heard::Gone(json!({"metadata": {"name": "two"}}))));
        assert_eq!((state.world.wider.len(), state.unread.len()), (0, 0));
    }
}
