//! Reads what was observed into facts, without opinion.
//!
//! Never here: input or output, judgement, clocks.

pub mod certificate;
pub mod component;
pub mod control_group;
pub mod fact;
pub mod machine;
pub mod manifest;
pub mod network;
