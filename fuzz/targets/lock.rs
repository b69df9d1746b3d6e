//! Bytes as a bundle's lock.

#![no_main]

#[path = "../laws/lock.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
