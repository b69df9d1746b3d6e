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
mod world;

#[cfg(test)]
mod tests;

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
}

impl Plant {
    /// Every plant, with the name that calls it.
    pub const ALL: [(&'static str, Self); 6] = [
        ("skipped-sync", Self::SkippedSync),
        ("hasty-promotion", Self::HastyPromotion),
        ("new-on-rejoin", Self::NewOnRejoin),
        ("unannounced-key", Self::UnannouncedKey),
        ("forgotten-key", Self::ForgottenKey),
        ("all-at-once", Self::AllAtOnce),
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
    /// How many runs it took after the last fault, the one that changed nothing included.
    pub runs: u32,
    /// What happened, if it was asked for.
    pub trace: Vec<String>,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Victim {
    /// The operator's process.
    Operator,
    /// The process on the first control plane.
    Agent,
    /// The first control plane, by a power loss.
    Power,
}

/// Lives through the world of one seed.
pub fn run(seed: u64, plant: Option<Plant>, is_traced: bool) -> Outcome {
    lived(World::new(seed, plant, is_traced))
}

/// Lives through the making of a cluster in which one is killed after so many effects, and nothing
/// else goes wrong.
pub fn run_killed(victim: Victim, after: u32) -> Outcome {
    lived(World::killing(victim, after))
}

/// Lives through a world in which two control planes of five lose everything at once.
pub fn run_losing_two(seed: u64) -> Outcome {
    lived(World::losing_two(seed))
}

fn lived(mut world: World) -> Outcome {
    world.run_queue();
    Outcome {
        broken: world.broken,
        events: world.events,
        faults: world.faults_done,
        runs: world.quiet_sessions,
        trace: world.trace.unwrap_or_default(),
    }
}
