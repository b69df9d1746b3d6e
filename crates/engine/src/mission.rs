//! What a run is for, and what is known beside the blueprint.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::blueprint::Blueprint;
use ringfort_model::certificate::Authority;
use ringfort_model::digest::Digest;
use ringfort_model::etcd::Founding;
use ringfort_model::name::NodeName;

/// What a run is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Mission {
    /// What the run is to reach.
    pub goal: Goal,
    /// What should be.
    pub blueprint: Blueprint,
    /// What is known beside it.
    pub circumstances: Circumstances,
}

/// What a run is to reach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Goal {
    /// Machines and API are as the blueprint says, and nothing else of ringfort is on them.
    Converge,
    /// What is in the blueprint is right; what else is there stays. For the pass that makes keys.
    Prepare,
    /// It is known what `Converge` would change. Nothing is changed.
    Plan,
    /// Each control plane that has no etcd data may start one: stale members are gone, a learner
    /// is announced, and how its data begins is remembered. Of the blueprint only machines, roles
    /// and addresses count.
    Membership,
    /// It is known what `Membership` would do in all rounds of a run. Nothing is changed; what would
    /// be remembered is told, so that the rest can be planned with it.
    Foresee,
    /// Nothing of ringfort is left on the blueprint's machines, and what was there before is back.
    Reset,
}

/// What is known beside the blueprint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Circumstances {
    /// The time, in seconds since 1970.
    pub now_s: i64,
    /// The epoch that the operator acts in; 0 to look only.
    pub epoch: u64,
    /// The authorities of the keyring. One that is absent is not compared with certificates.
    pub authorities: BTreeMap<Authority, AuthoritySeen>,
    /// The keys that seal what the API servers store.
    pub encryption: Encryption,
    /// The keys with which API servers sign tokens, as the other servers know them. `None` in the
    /// pass that makes them.
    pub signing: Option<Signing>,
    /// API servers whose signing key not every other server is known to have loaded: they start
    /// with it last.
    pub unannounced: BTreeSet<NodeName>,
    /// Whether the operator's state was there before this run. Without it, data of a cluster on a
    /// machine is not touched.
    pub known: bool,
    /// Machines whose etcd was seen to answer ([`crate::Remember::Started`]) since its founding was
    /// written down.
    pub started: BTreeSet<NodeName>,
    /// How the data of each etcd member began, as far as it is remembered.
    pub foundings: BTreeMap<NodeName, Founding>,
}

/// What is known of an authority.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthoritySeen {
    /// Its subject key id, in lower-case hexadecimal.
    pub key_id: String,
    /// End of its life, in seconds since 1970.
    pub not_after: i64,
}

/// The keys that seal what the API servers store, by name. A name is never given twice.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Encryption {
    /// Those in the keyring.
    pub held: BTreeSet<String>,
    /// Those that the trust facts name.
    pub named: BTreeSet<String>,
    /// Those that every API server was seen to have loaded, by the hash of its configuration.
    pub loaded: BTreeSet<String>,
    /// Those that seal nothing any more, because every object was written anew.
    pub retired: BTreeSet<String>,
}

/// The keys with which API servers sign tokens, as the other servers know them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Signing {
    /// The path of the private half, on every machine.
    pub path: String,
    /// The digest of each machine's public half. No other key is made there.
    pub known: BTreeMap<NodeName, Digest>,
}
