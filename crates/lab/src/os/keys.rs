//! Keys of a lab: one that opens every machine and one host key for each machine, made once, so that
//! host keys are checked from the first connection on. A wiped machine keeps its host key.

use std::fs;
use std::path::Path;

use crate::os::command::run;
use crate::os::{Fault, make_directory, read, unwritable, write_whole};
use crate::places::Home;
use crate::shape::Machine;

/// Makes what is missing and writes the list of known hosts.
pub(crate) fn make(home: &Home, machines: &[Machine]) -> Result<(), Fault> {
    make_directory(&home.keys())?;
    make_pair(&home.identity(), "ringfort-lab")?;
    let mut known = String::new();
    for machine in machines {
        let key = home.host_key(&machine.name);
        make_pair(&key, machine.name.as_str())?;
        known += &format!("{} {}", machine.address, public_half(&key)?);
    }
    write_whole(&home.known_hosts(), known.as_bytes())
}

/// Reads the public half of a key.
pub(crate) fn public_half(key: &Path) -> Result<String, Fault> {
    read(&key.with_extension("pub"))
}

/// The private half is renamed into place last: a pair cut short is made anew. Each process makes it under a
/// name of its own, since what a killed one had started may still be writing.
fn make_pair(key: &Path, comment: &str) -> Result<(), Fault> {
    if key.exists() {
        return Ok(());
    }
    let making = format!("making-{}", std::process::id());
    let (aside, public) =
        (key.with_extension(&making), key.with_extension(format!("{making}.pub")));
    super::remove(&aside)?;
    super::remove(&public)?;
    let path = aside.to_string_lossy();
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", &path])?;
    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(|e| unwritable(to, e));
    rename(&public, &key.with_extension("pub"))?;
    rename(&aside, key)
}
