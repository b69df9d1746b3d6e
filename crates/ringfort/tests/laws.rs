//! What the fuzz targets of `fuzz/` try for hours is tried here for a moment: on the kept corpus,
//! and on what a generator of fixed seed makes of it. An input that broke a law is kept there.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/laws/argv.rs"]
mod argv;
#[path = "../../../fuzz/laws/audit.rs"]
mod audit;
#[path = "../../../fuzz/laws/batch.rs"]
mod batch;
#[path = "../../../fuzz/laws/containerd.rs"]
mod containerd;
#[path = "../../../fuzz/laws/facts.rs"]
mod facts;
#[path = "../../../fuzz/laws/fix.rs"]
mod fix;
#[path = "../../../fuzz/laws/frames.rs"]
mod frames;
#[path = "../../../fuzz/laws/integrity.rs"]
mod integrity;
#[path = "../../../fuzz/laws/journal.rs"]
mod journal;
#[path = "../../../fuzz/laws/kubelet.rs"]
mod kubelet;
#[path = "../../../fuzz/laws/lock.rs"]
mod lock;
#[path = "../../../fuzz/laws/manifest.rs"]
mod manifest;
#[path = "../../../fuzz/laws/segment.rs"]
mod segment;
#[path = "../../../fuzz/laws/spec.rs"]
mod spec;

/// Changed inputs for each target.
const ROUNDS: usize = 3_000;

fn check(target: &str, holds: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!seeds.is_empty(), "{target} has no corpus");
    seeds.iter().for_each(|seed| holds(seed));
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for round in 0..ROUNDS {
        let bytes = chance.change(&seeds[round % seeds.len()], &seeds);
        let held = std::panic::catch_unwind(|| holds(&bytes));
        assert!(held.is_ok(), "{target}, round {round}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

/// A generator of fixed seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }

    /// Flips, cuts, repeats and mixes bytes.
    fn change(&mut self, seed: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let until = (at + self.below(16)).min(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..until)),
                2 => {
                    let piece = bytes[at..until].to_vec();
                    bytes.splice(at..at, piece);
                }
                3 => {
                    let other = &others[self.below(others.len())];
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(64)).min(other.len());
                    bytes.splice(at..until, other[from..to].iter().copied());
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        bytes
    }
}

#[test]
fn any_text_is_a_spec_or_a_report() {
    check("spec", spec::holds);
}

#[test]
fn any_manifest_is_fixed_once_or_left_alone() {
    check("fix", fix::holds);
}

#[test]
fn any_bytes_are_events_or_faults() {
    check("audit", audit::holds);
}

#[test]
fn any_bytes_are_a_batch_of_events_or_refused() {
    check("batch", batch::holds);
}

#[test]
fn any_bytes_are_a_segment_or_refused() {
    check("segment", segment::holds);
}

#[test]
fn any_bytes_are_databases_of_containers_or_are_refused() {
    check("containerd", containerd::holds);
}

#[test]
fn any_bytes_are_frames_or_refused() {
    check("frames", frames::holds);
}

#[test]
fn any_bytes_are_a_journal_a_torn_one_or_refused() {
    check("journal", journal::holds);
}

#[test]
fn any_text_is_a_lock_of_what_is_inside_or_refused() {
    check("lock", lock::holds);
}

#[test]
fn any_bytes_are_records_of_the_kernel_and_entries_of_a_baseline_or_are_refused() {
    check("integrity", integrity::holds);
}

#[test]
fn any_text_is_documents_that_stand_where_they_are_said_to_or_is_refused() {
    check("manifest", manifest::holds);
}

#[test]
fn any_words_are_a_command_line() {
    check("argv", argv::holds);
}

#[test]
fn any_texts_are_settings_of_a_kubelet_or_gaps() {
    check("kubelet", kubelet::holds);
}

#[test]
fn any_text_is_facts_or_refused() {
    check("facts", facts::holds);
}
