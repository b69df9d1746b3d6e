//! Bytes as entries of a baseline or as records of the kernel.

#![no_main]

#[path = "../laws/integrity.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
