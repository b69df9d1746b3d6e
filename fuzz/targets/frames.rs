//! Bytes as what operator and machine say.

#![no_main]

#[path = "../laws/frames.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
