//! Bytes as files of segments.

#![no_main]

#[path = "../laws/segment.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
