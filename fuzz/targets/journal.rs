//! Bytes as a machine's journal.

#![no_main]

#[path = "../laws/journal.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
