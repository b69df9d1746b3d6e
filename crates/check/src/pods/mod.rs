//! Pods and templates of pods, judged by the Pod Security Standards as Kubernetes' own admission judges
//! them, check by check and version by version
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>).
//!
//! What is judged is what is written, and the one thing that an API server fills in with a say in it:
//! a volume without a kind becomes an empty directory. That a Pod on its node's network is given the
//! ports there as well says nothing new, since it has failed already.

mod catalogue;
mod checks;
mod find;
mod judged;
mod pod;
mod report;

pub use crate::fault::{Fault, Remedy, Unreadable};
pub use find::pods;
pub use judged::{Failure, Judged, Verdict};
pub use pod::Pod;
pub use report::Reported;

pub(crate) use catalogue::faults;
#[cfg(test)]
pub(crate) use catalogue::is_check;
pub(crate) use checks::Subject;
pub(crate) use pod::without_containers;
