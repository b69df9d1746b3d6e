//! Bytes as facts of a machine.

#![no_main]

#[path = "../laws/facts.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
