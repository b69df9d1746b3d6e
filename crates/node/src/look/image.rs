//! Images in containerd, all by one call.

use std::collections::BTreeMap;

use ringfort_model::digest::Digest;
use ringfort_model::seen::ItemSeen;

use crate::root::Root;
use crate::tools::{Tools, run};

/// The label that keeps kubelet from collecting an image.
pub(crate) const PINNED: &str = "io.cri-containerd.pinned=pinned";

/// Lists the pinned images by reference.
///
/// Where containerd does not run there are none to use yet: the blueprint starts it before images
/// are imported, and importing again what was there does no harm.
pub(crate) fn all(root: &Root, tools: &dyn Tools) -> Result<BTreeMap<String, Digest>, String> {
    if !root.own("run/containerd/containerd.sock").exists() {
        return Ok(BTreeMap::new());
    }
    match run(tools, "ctr", &["-n", "k8s.io", "images", "ls"]) {
        Ok(text) => Ok(read(&text)),
        Err(error) if error.to_string().contains("connection refused") => Ok(BTreeMap::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// Picks one image out.
pub(crate) fn one(all: &Result<BTreeMap<String, Digest>, String>, reference: &str) -> ItemSeen {
    match all {
        Ok(images) => match images.get(reference) {
            Some(manifest) => ItemSeen::Image { manifest: manifest.clone() },
            None => ItemSeen::Absent,
        },
        Err(why) => ItemSeen::Unreadable(why.clone()),
    }
}

/// Reads the table: REF TYPE DIGEST SIZE PLATFORMS LABELS, where SIZE is of two words.
fn read(table: &str) -> BTreeMap<String, Digest> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let reference = words.next()?.to_owned();
        let digest = words.find_map(|word| word.strip_prefix("sha256:"))?.parse().ok()?;
        let pinned = words.flat_map(|word| word.split(',')).any(|label| label == PINNED);
        pinned.then_some((reference, digest))
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn pinned_images_are_read_from_the_table() {
        let digest = "a".repeat(64);
        let table = format!(
            "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
             registry.k8s.io/etcd:3.6.16-0 application/vnd.oci.image.manifest.v1+json sha256:{digest} 25.9 MiB linux/amd64 io.cri-containerd.image=managed,io.cri-containerd.pinned=pinned\n\
             registry.k8s.io/loose:1 application/vnd.oci.image.manifest.v1+json sha256:{digest} 1.0 MiB linux/amd64 io.cri-containerd.image=managed\n\
             sha256:{digest} application/vnd.oci.image.manifest.v1+json - - - -\n"
        );
        let images = read(&table);
        assert_eq!(images.len(), 1);
        assert_eq!(images["registry.k8s.io/etcd:3.6.16-0"].as_str(), digest);
        assert!(read("").is_empty());
    }
}
