//! Worlds that must hold, and worlds that must not.

use super::{Plant, Victim, run, run_killed, run_losing_two};

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

#[test]
fn a_cluster_is_made_whoever_is_killed_at_whatever_step() {
    for victim in [Victim::Operator, Victim::Agent, Victim::Power] {
        let mut killed = 0;
        loop {
            let outcome = run_killed(victim, killed);
            assert_eq!(outcome.broken, None, "{victim:?} after {killed} effects");
            if outcome.faults == 0 {
                break;
            }
            killed += 1;
        }
        assert!(killed > 50, "{victim:?} was killed at {killed} effects only");
    }
}

#[test]
fn one_run_brings_two_lost_control_planes_of_five_back() {
    for seed in 0..50 {
        let outcome = run_losing_two(seed);
        assert_eq!((outcome.broken, outcome.faults), (None, 1), "seed {seed}");
        assert_eq!(outcome.runs, 2, "seed {seed}: one run mends it, one finds nothing to do");
    }
}
