//! Kernel settings.

use super::{ActError, Actor};
use crate::look::{spaced, sysctl_path};

impl Actor<'_> {
    /// Sets a kernel setting. One that has the value already is left alone: it may be read-only
    /// in a container, where the host keeps it.
    pub(super) fn set_sysctl(&self, name: &str, value: &str) -> Result<(), ActError> {
        let path = sysctl_path(self.root, name).map_err(ActError::Refused)?;
        let current = std::fs::read_to_string(&path);
        if current.as_ref().is_ok_and(|current| spaced(current) == spaced(value)) {
            return Ok(());
        }
        if current.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(ActError::Refused(format!(
                "the kernel has no setting {name}: load the module that brings it"
            )));
        }
        std::fs::write(&path, value).map_err(ActError::at(&path))
    }
}
