//! Breaks on running machines what no blueprint has, and mends it.

use ringfort_controls::sabotage::Harm;
use ringfort_spec::Spec;

use super::{MakeError, Site};
use crate::render::Broken;

/// Does what a sabotage does on running machines.
///
/// # Errors
/// A machine is out of reach, or it could not be done there.
pub async fn break_live(broken: Broken, site: &Site, spec: &Spec) -> Result<(), MakeError> {
    for harm in broken.1.harms {
        if let Harm::Live { does, .. } = harm {
            everywhere(broken, site, spec, does).await?;
        }
    }
    Ok(())
}

/// Mends what [`break_live`] broke.
///
/// # Errors
/// As there.
pub async fn mend_live(broken: Broken, site: &Site, spec: &Spec) -> Result<(), MakeError> {
    for harm in broken.1.harms.iter().rev() {
        if let Harm::Live { undoes, .. } = harm {
            everywhere(broken, site, spec, undoes).await?;
        }
    }
    Ok(())
}

async fn everywhere(
    (_, sabotage): Broken,
    site: &Site,
    spec: &Spec,
    script: &str,
) -> Result<(), MakeError> {
    let hosts = site.hosts();
    for node in sabotage.machines(spec) {
        let unable = |why: String| MakeError::Other(format!("{node}: {script}: {why}"));
        let host = hosts.get(&node).ok_or_else(|| unable("out of reach".to_owned()))?;
        let output = host.run(script, &[]).await.map_err(|error| unable(error.to_string()))?;
        if !output.ok() {
            return Err(unable(output.complaint()));
        }
    }
    Ok(())
}
