//! Bytes as an audit log.

#![no_main]

#[path = "../laws/audit.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
