//! A world in which everything breaks: machines, links, operators and people, all from one number.
//!
//! Both halves of the engine run here unchanged. What the world's machines, kubelets, etcd and API
//! servers do is a small model of what was seen on real ones; each rule says where.

mod agent;
mod draft;
mod etcd;
mod faults;
mod kubelet;
mod laws;
mod machine;
mod random;
mod session;
mod store;
mod story;
mod upkeep;
mod world;

#[cfg(test)]
mod tests;

pub use story::{Kill, Story, Victim};

use world::World;

/// A fault of the engine's users that the laws of the world must find.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plant {
    /// A machine says that a file is written before it is durable.
    SkippedSync,
    /// A key is promoted as soon as the files have it, before the servers have loaded it.
    HastyPromotion,
    /// A wiped member comes back as if it began with the cluster.
    NewOnRejoin,
    /// Servers are not told which signing keys the others lack.
    UnannouncedKey,
    /// The public half of a wiped server's key is forgotten at once.
    ForgottenKey,
    /// Manifests are no rolling groups.
    AllAtOnce,
    /// Nobody remembers which members of etcd have answered.
    ForgottenStart,
    /// Nobody tells with which keys data is sealed, be it machines or the trust facts.
    UnnamedKeys,
    /// Each machine says that its etcd answers, whether it does or not.
    BlindCount,
    /// Whoever comes with an old copy of the operator's state gets an epoch.
    StaleFacts,
    /// A key is let go before everything was written again with another.
    EarlyRetirement,
}

impl Plant {
    /// Every plant, with the name that calls it.
    pub const ALL: [(&'static str, Self); 11] = [
        ("skipped-sync", Self::SkippedSync),
        ("hasty-promotion", Self::HastyPromotion),
        ("new-on-rejoin", Self::NewOnRejoin),
        ("unannounced-key", Self::UnannouncedKey),
        ("forgotten-key", Self::ForgottenKey),
        ("all-at-once", Self::AllAtOnce),
        ("forgotten-start", Self::ForgottenStart),
        ("unnamed-keys", Self::UnnamedKeys),
        ("blind-count", Self::BlindCount),
        ("stale-facts", Self::StaleFacts),
        ("early-retirement", Self::EarlyRetirement),
    ];
}

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The law that was broken, if one was.
    pub broken: Option<String>,
    /// How many things happened.
    pub events: u64,
    /// How many of them were faults.
    pub faults: u64,
    /// Whether somebody was killed as was asked for.
    pub is_killed: bool,
    /// How many runs were refused.
    pub refused: u64,
    /// How many runs it took after the last fault, the one that changed nothing included.
    pub runs: u32,
    /// What happened, if it was asked for.
    pub trace: Vec<String>,
}

/// Lives through the world of one seed: one of the stories for every eighth, faults of all kinds for
/// the others.
pub fn run(seed: u64, plant: Option<Plant>, is_traced: bool) -> Outcome {
    lived(World::new(seed, plant, is_traced))
}

/// Lives through a story in which nothing else goes wrong, but that one may be killed.
pub fn tell(story: Story, seed: u64, kill: Option<Kill>) -> Outcome {
    lived(World::telling(story, seed, kill, None, false))
}

fn lived(mut world: World) -> Outcome {
    world.run_queue();
    Outcome {
        broken: world.broken,
        events: world.events,
        faults: world.faults_done,
        is_killed: world.is_killed,
        refused: world.refused,
        runs: world.quiet_sessions,
        trace: world.trace.unwrap_or_default(),
    }
}
