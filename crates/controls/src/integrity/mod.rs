//! What happens to files of machines.

pub mod files_are_watched;
