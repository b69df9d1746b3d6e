//! Bytes as what containerd knows of its containers.

#![no_main]

#[path = "../laws/containerd.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
