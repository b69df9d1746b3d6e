//! Decides how the keys that seal what API servers store change: a new key reads on every server
//! before it writes on any, and an old one goes only after everything was written again without it.
//!
//! A server that meets an object sealed with a key it lacks fails whole lists. So each turn waits
//! until every server says, by the hash of its configuration, that it has loaded the turn before.

use std::collections::BTreeMap;

use ringfort_model::digest::Digest;
use ringfort_model::name::NodeName;

/// The keys of a cluster, and what its API servers say of them.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The names of the keys, the one that writes first.
    pub keys: &'a [String],
    /// The name of the key that was made last.
    pub newest: &'a str,
    /// Whether a person asked for a new key that was not made yet.
    pub is_wanted: bool,
    /// The digest of the configuration with these keys in this order.
    pub configuration: &'a Digest,
    /// The digest that each API server says it has loaded; `None` where it says nothing.
    pub loaded: &'a BTreeMap<NodeName, Option<Digest>>,
}

/// What is to be done about the keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Nothing: one key does everything.
    Rest,
    /// To make a key that reads, and to bring it to every server.
    Add,
    /// To wait until these servers have loaded what they were given.
    Wait {
        /// The servers; none if there is no server to ask.
        servers: Vec<NodeName>,
    },
    /// To let a key write that every server reads with.
    Promote {
        /// Its name.
        key: String,
    },
    /// To write every object again, and then to let keys go that seal nothing any more.
    Rewrite {
        /// Their names.
        retiring: Vec<String>,
    },
}

/// Says what to do next about the keys.
pub fn next(standing: &Standing<'_>) -> Turn {
    let [writes, others @ ..] = standing.keys else { return Turn::Rest };
    if others.is_empty() {
        return if standing.is_wanted { Turn::Add } else { Turn::Rest };
    }
    let has_loaded = |digest: &Option<Digest>| digest.as_ref() == Some(standing.configuration);
    let behind = standing.loaded.iter().filter(|(_, digest)| !has_loaded(digest));
    let servers: Vec<NodeName> = behind.map(|(node, _)| node.clone()).collect();
    if !servers.is_empty() || standing.loaded.is_empty() {
        return Turn::Wait { servers };
    }
    match writes == standing.newest {
        true => Turn::Rewrite { retiring: others.to_vec() },
        false => Turn::Promote { key: standing.newest.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, NodeName, Standing, Turn, next};

    fn check(keys: &[&str], is_wanted: bool, loaded: &[Option<&str>], expected: &Turn) {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let of = |text: &str| Digest::of(text.as_bytes());
        let name = |number: usize| NodeName::new(format!("cp{}", number + 1)).unwrap();
        let found = next(&Standing {
            keys: &keys,
            newest: keys.iter().max().map_or("", |key| key),
            is_wanted,
            configuration: &of(&keys.join(",")),
            loaded: &loaded.iter().enumerate().map(|(n, text)| (name(n), text.map(of))).collect(),
        });
        assert_eq!(found, *expected, "{keys:?} {loaded:?}");
    }

    fn wait(numbers: &[u8]) -> Turn {
        let name = |number: &u8| NodeName::new(format!("cp{number}")).unwrap();
        Turn::Wait { servers: numbers.iter().map(name).collect() }
    }

    #[test]
    fn a_key_is_added_where_one_is_wanted_and_no_other_is_on_its_way() {
        check(&["k1"], false, &[Some("k1")], &Turn::Rest);
        check(&["k1"], true, &[None], &Turn::Add);
        check(&["k1", "k2"], true, &[None], &wait(&[1]));
        check(&["k2"], true, &[Some("k2,k1")], &Turn::Add);
    }

    #[test]
    fn a_key_writes_only_after_every_server_said_that_it_reads_with_it() {
        let promote = || Turn::Promote { key: "k2".to_owned() };
        check(&["k1", "k2"], false, &[Some("k1,k2"), Some("k1,k2")], &promote());
        check(&["k1", "k2"], false, &[Some("k1,k2"), Some("k1")], &wait(&[2]));
        check(&["k1", "k2"], false, &[None, Some("k1,k2"), Some("k2,k1")], &wait(&[1, 3]));
        check(&["k1", "k2"], false, &[], &wait(&[]));
    }

    #[test]
    fn a_key_goes_only_after_every_server_writes_with_the_other() {
        let rewrite = || Turn::Rewrite { retiring: vec!["k1".to_owned()] };
        check(&["k2", "k1"], false, &[Some("k2,k1"), Some("k2,k1")], &rewrite());
        check(&["k2", "k1"], false, &[Some("k2,k1"), Some("k1,k2")], &wait(&[2]));
        check(&["k2", "k1"], false, &[Some("k2,k1"), None], &wait(&[2]));
        check(&["k2", "k1"], false, &[], &wait(&[]));
    }
}
