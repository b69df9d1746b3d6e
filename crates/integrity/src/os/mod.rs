//! The edge: looks at files, and listens to the kernel.

mod agent;
mod canary;
mod gate;
mod keep;
mod layers;
mod listen;
mod look;
mod named;
mod packages;
mod processes;
mod repair;
mod scan;
mod workloads;

pub use agent::{Hooks, RepairStatus, Settings, WatchFault, watch};
pub use canary::canary;
pub use gate::{Gate, GateFault};
pub use keep::{Status, read_journals, read_open, status};
pub use layers::{LayerFinding, LayerScan, scan_layers};
pub use listen::{Heard, ListenFault, Listener, Noticed};
pub use look::{Pace, Root};
pub use packages::{PackageFinding, PackageScan, scan_packages};
pub use scan::{Scan, scan};
