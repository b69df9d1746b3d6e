//! A cluster that goes on when a machine does not.

pub mod control_plane;
pub mod nodes_are_ready;
mod pod_writer;
mod rehearsal;
pub mod survives_control_plane;
pub mod three_control_planes;
pub mod three_workers;
