//! Bytes as documents with places.

#![no_main]

#[path = "../laws/manifest.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
