//! What keeps workloads up.

pub mod disruption_budget;
pub mod liveness_probe;
pub mod placement;
pub mod priority_is_set;
mod probe;
pub mod readiness_probe;
pub mod replicas;
pub mod rolling_update;
pub mod spread;
