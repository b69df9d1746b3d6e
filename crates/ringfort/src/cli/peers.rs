//! Machines that speak with each other: by what papers, under what names and where.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use ringfort_model::name::NodeName;
use ringfort_model::secret::Secret;
use ringfort_store::os::Papers;

use super::Fault;
use super::files;

/// What a machine shows others, and whom it believes.
#[derive(Args)]
pub struct PapersArgs {
    /// The own certificate, in PEM
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The authority that signed the certificates of all, in PEM
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
}

impl PapersArgs {
    /// Reads them.
    pub fn read(&self) -> Result<Papers, Fault> {
        let read = |file: &Path| files::text(file).map_err(Fault::usage);
        Ok(Papers {
            authorities_pem: read(&self.ca)?,
            certificate_pem: read(&self.certificate)?,
            key_pem: Secret::new(read(&self.key)?),
        })
    }
}

/// Reads the name of a machine, which may be a part of a file's name.
pub fn machine_name(text: &str) -> Result<String, String> {
    let name = NodeName::new(text).map_err(|error| error.to_string())?;
    Ok(name.to_string())
}

/// Reads the name of a machine and where it listens.
pub fn peer(text: &str) -> Result<(String, SocketAddr), String> {
    let (name, at) = text.split_once('=').ok_or("write NAME=ADDRESS:PORT")?;
    let at = at.parse().map_err(|_| format!("{at:?} is no address with a port"))?;
    Ok((machine_name(name)?, at))
}
