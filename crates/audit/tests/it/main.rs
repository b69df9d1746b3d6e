//! The room seen from outside: examples of every detection, what others published, and laws.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod bursts;
mod examples;
mod hostile;
mod ledger;
mod oracles;
mod panther;
mod pods;
mod rbac;
mod results;
mod who;
