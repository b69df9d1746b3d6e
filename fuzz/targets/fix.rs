//! Bytes as manifests to be put right.

#![no_main]

#[path = "../laws/fix.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
