//! Features of the kernel, tried for real where a try is cheap: in namespaces of their own, which
//! are gone with the last process in them.

use std::collections::BTreeMap;

use crate::root::Root;
use crate::tools::{Tools, find};

/// Features and the script that succeeds where the kernel has them.
const TRIES: &[(&str, &str)] = &[
    ("nftables", "nft add table inet ringfort"),
    (
        "overlay",
        "mount -t tmpfs none /mnt && mkdir /mnt/l /mnt/u /mnt/w /mnt/m && \
         mount -t overlay none -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /mnt/m",
    ),
    ("user-namespaces", "unshare --user true"),
    ("vxlan", "ip link add ringfort0 type vxlan id 82 dstport 4789"),
    ("wireguard", "ip link add ringfort0 type wireguard"),
];

/// Tries every feature. Where there is no way to try, a feature is left out.
pub(super) fn try_all(root: &Root, tools: &dyn Tools) -> BTreeMap<String, bool> {
    let mut features = BTreeMap::new();
    if find("unshare").is_some() {
        for (name, script) in TRIES {
            let said = tools.run("unshare", &["--mount", "--net", "--fork", "sh", "-c", script]);
            if let Ok(said) = said {
                features.insert((*name).to_owned(), said.well);
            }
        }
    }
    let actions = std::fs::read_to_string(root.own("proc/sys/kernel/seccomp/actions_avail"));
    features.insert("seccomp".to_owned(), actions.is_ok_and(|actions| actions.contains("errno")));
    features
}
