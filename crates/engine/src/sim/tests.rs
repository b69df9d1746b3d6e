//! Worlds that must hold, and worlds that must not.

use super::{Kill, Plant, Story, Victim, run, tell};

#[test]
fn every_world_converges_and_keeps_its_laws() {
    for seed in 0..5_000 {
        let outcome = run(seed, None, false);
        assert_eq!(outcome.broken, None, "seed {seed}");
    }
}

#[test]
fn keys_are_replaced_while_control_planes_come_and_go() {
    // Each of these once let a key go while the server of a machine that had left still wrote.
    for seed in [14_196, 19_982, 31_833, 43_299, 49_598, 55_300, 63_432, 63_923] {
        assert_eq!(run(seed, None, false).broken, None, "seed {seed}");
    }
}

#[test]
fn a_plan_is_not_held_against_a_run_beside_which_the_keys_turned() {
    assert_eq!(run(33_454, None, false).broken, None);
}

#[test]
fn seeds_that_once_broke_a_law_hold() {
    for seed in [17_828, 21_246, 22_277, 55_784, 58_520, 63_019, 89_845] {
        assert_eq!(run(seed, None, false).broken, None, "seed {seed}");
    }
}

#[test]
fn every_planted_fault_is_found() {
    for (name, plant) in Plant::ALL {
        let found = (0..5_000).find(|seed| run(*seed, Some(plant), false).broken.is_some());
        assert!(found.is_some(), "{name} was not found");
    }
}

/// Kills everybody at every step, of which each of so many parts takes its share.
fn kill(story: Story, seed: u64, share: u32, of: u32) {
    for victim in Victim::of(story) {
        let mut after = share;
        loop {
            let outcome = tell(story, seed, Some(Kill { victim, after }));
            assert_eq!(outcome.broken, None, "{story:?}, seed {seed}: {victim:?} after {after}");
            if !outcome.is_killed {
                break;
            }
            after += of;
        }
        let is_operator = victim == Victim::Operator;
        assert!(
            !is_operator || after > 20,
            "{story:?}: {victim:?} was killed at {after} steps only"
        );
    }
}

#[test]
fn a_cluster_is_made_whoever_is_killed_at_whatever_step() {
    kill(Story::Founding, 0, 0, 1);
}

#[test]
fn control_planes_come_and_go_whoever_is_killed() {
    let stories = [
        Story::Joining,
        Story::Leaving,
        Story::Shrinking,
        Story::Replacing,
        Story::Burying,
        Story::Rejoining,
        Story::LosingTwo,
    ];
    for story in stories {
        kill(story, 1, 0, 7);
        kill(story, 2, 3, 7);
    }
}

#[test]
fn a_cluster_is_reset_and_made_again_whoever_is_killed() {
    kill(Story::Resetting, 1, 0, 7);
    kill(Story::Resetting, 2, 3, 7);
}

#[test]
fn the_key_that_seals_is_replaced_whoever_is_killed() {
    for (seed, share) in (1..).zip(0..3) {
        kill(Story::Rotating, seed, share, 3);
    }
}

#[test]
fn one_run_brings_two_lost_control_planes_of_five_back() {
    for seed in 0..50 {
        let outcome = tell(Story::LosingTwo, seed, None);
        assert_eq!((outcome.broken, outcome.faults), (None, 1), "seed {seed}");
        assert_eq!(outcome.runs, 2, "seed {seed}: one run mends it, one finds nothing to do");
    }
}

#[test]
fn a_cluster_that_lost_all_its_data_is_refused_and_never_founded_anew() {
    for seed in 0..50 {
        let outcome = tell(Story::LosingAll, seed, None);
        assert_eq!((outcome.broken, outcome.refused), (None, 3), "seed {seed}");
    }
}

#[test]
fn without_its_keyring_a_cluster_is_refused_and_stays_as_it_is_until_that_is_put_back() {
    for seed in 0..50 {
        let outcome = tell(Story::LosingKeyring, seed, None);
        assert_eq!((outcome.broken, outcome.refused), (None, 3), "seed {seed}");
        assert_eq!(outcome.runs, 4, "seed {seed}: with it, nothing is left to do");
    }
}

#[test]
fn no_member_leaves_while_that_would_cost_the_quorum() {
    for seed in 0..50 {
        let outcome = tell(Story::Shrinking, seed, None);
        assert_eq!(outcome.broken, None, "seed {seed}");
        assert_eq!(outcome.refused, 0, "seed {seed}: the run mends what is silent");
    }
}
