//! Bytes as what a kubelet is set by.

#![no_main]

#[path = "../laws/kubelet.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| law::holds(bytes));
