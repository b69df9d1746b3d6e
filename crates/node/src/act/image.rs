//! Images: imported from an archive of the bundle into the images that kubelet sees, and pinned so
//! that kubelet never collects them. No registry is asked.

use ringfort_model::digest::Digest;

use super::{ActError, Actor};
use crate::look::PINNED;
use crate::tools::run;

/// containerd's images that kubelet sees.
const NAMESPACE: [&str; 2] = ["-n", "k8s.io"];

impl Actor<'_> {
    /// Imports an archive and pins its image.
    pub(super) fn import_image(&self, reference: &str, archive: &Digest) -> Result<(), ActError> {
        let path = self.store.checked(archive)?;
        let path = path.display().to_string();
        let import = ["images", "import", "--local", "--discard-unpacked-layers", &path];
        run(self.tools, "ctr", &[&NAMESPACE[..], &import].concat())?;
        let label = ["images", "label", reference, PINNED];
        run(self.tools, "ctr", &[&NAMESPACE[..], &label].concat())?;
        Ok(())
    }

    /// Takes an image away; where containerd is gone, its images are as well.
    pub(super) fn remove_image(&self, reference: &str) -> Result<(), ActError> {
        if self.root.own("run/containerd/containerd.sock").exists() {
            let remove = ["images", "rm", "--sync", reference];
            run(self.tools, "ctr", &[&NAMESPACE[..], &remove].concat())?;
        }
        Ok(())
    }

    /// Ends every container of kubelet's, which outlive kubelet and containerd by design.
    pub(super) fn stop_pods(&self) -> Result<(), ActError> {
        if !self.root.own("run/containerd/containerd.sock").exists() {
            return Ok(());
        }
        let ctr =
            |arguments: &[&str]| run(self.tools, "ctr", &[&NAMESPACE[..], arguments].concat());
        for task in ctr(&["tasks", "ls", "-q"])?.split_whitespace() {
            // A task may end between being listed and being killed.
            let _ = ctr(&["tasks", "rm", "--force", task]);
        }
        for container in ctr(&["containers", "ls", "-q"])?.split_whitespace() {
            let _ = ctr(&["containers", "rm", container]);
        }
        Ok(())
    }
}
