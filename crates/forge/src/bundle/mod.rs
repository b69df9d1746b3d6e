//! Bundles: a directory with every binary and image of a cluster and a lock of their digests, the
//! shape in which a site without a network carries them in.
//!
//! Whatever is built is built the same twice: no clock, path or name of this machine gets in.
//! Never here: a file whose digest nobody pinned, or a module that nobody vouched for.

mod adapt;
mod assembly;
mod build;
mod checksums;
mod compiler;
mod contents;
mod directory;
mod fetch;
mod files;
mod image;
#[cfg(test)]
mod namer;
mod pins;
mod programs;
mod published;
mod rebuild;
#[cfg(test)]
mod server;
mod shelf;
mod unseen;
mod upstream;

pub use assembly::AssemblyError;
pub use build::{BuildError, Order, Progress, Sourcing, again, build, build_program};
pub use checksums::{Checksums, ChecksumsError};
pub use compiler::CompilerError;
pub use directory::{Bundle, DirectoryError, Flaw, cache_directory};
pub use fetch::FetchError;
pub use files::FileFault;
pub(crate) use files::hash;
pub use programs::Programs;
pub use published::{PublishedError, published};
pub use rebuild::{Answer, Kind, Origins, Packages, Rebuild, RebuildError, Rebuilt, Row, rebuild};
pub use shelf::MakeError;
pub use upstream::UpstreamError;
