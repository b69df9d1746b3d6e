//! Bytes as requests that bring events.

#![no_main]

#[path = "../laws/batch.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
