//! Bytes as the words of a component.

#![no_main]

#[path = "../laws/argv.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
