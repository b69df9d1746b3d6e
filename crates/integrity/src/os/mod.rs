//! The edge: looks at files.

mod look;
mod scan;

pub use look::{Pace, Root};
pub use scan::{Scan, scan};
