//! Judges what somebody means to give to a cluster, before it is there.
//!
//! Never here: input or output, clocks, a cluster.

pub mod pods;
