//! The edge: looks at files, and listens to the kernel.

mod listen;
mod look;
mod scan;

pub use listen::{Heard, ListenFault, Listener, Noticed};
pub use look::{Pace, Root};
pub use scan::{Scan, scan};
