//! Worlds that must hold, and worlds that must not.

use super::{Plant, run};

#[test]
fn every_world_converges_and_keeps_its_laws() {
    for seed in 0..5_000 {
        let outcome = run(seed, None, false);
        assert_eq!(outcome.broken, None, "seed {seed}");
    }
}

#[test]
fn every_planted_fault_is_found() {
    for (name, plant) in Plant::ALL {
        let found = (0..5_000).find(|seed| run(*seed, Some(plant), false).broken.is_some());
        assert!(found.is_some(), "{name} was not found");
    }
}
