//! Bytes as a `cluster.yaml`.

#![no_main]

#[path = "../laws/spec.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
