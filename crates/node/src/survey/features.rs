//! What a cluster needs of a machine's kernel and files. Features of the kernel are tried for real where a try
//! is cheap: in namespaces of their own, which are gone with the last process in them.

use std::collections::BTreeMap;

use crate::root::Root;
use crate::tools::{Tools, find};

/// Features and the script that succeeds where the kernel has them.
const TRIES: &[(&str, &str)] = &[
    // Where it is not loaded yet, it is only looked for: a module that was loaded would stay.
    (
        "bridge-filter",
        "test -e /proc/sys/net/bridge/bridge-nf-call-iptables || modprobe -n -q br_netfilter",
    ),
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
    let protocols = std::fs::read_to_string(root.own("etc/protocols"));
    features
        .insert("protocol-names".to_owned(), protocols.is_ok_and(|text| names_protocols(&text)));
    features
}

/// Whether a machine knows the protocols of Services by their names, as nft writes them then.
fn names_protocols(text: &str) -> bool {
    ["6", "17", "132"].iter().all(|number| {
        text.lines().any(|line| {
            let line = line.split('#').next().unwrap_or_default();
            line.split_whitespace().nth(1) == Some(number)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::names_protocols;

    #[test]
    fn protocols_have_names_where_each_number_stands() {
        let whole = "# numbers\nip\t0\tIP\ntcp\t6\tTCP\t# streams\nudp 17 UDP\nsctp 132 SCTP\n";
        assert!(names_protocols(whole));
        assert!(!names_protocols(""));
        assert!(!names_protocols(&whole.replace("tcp", "#tcp")));
        assert!(!names_protocols(&whole.replace("132", "133")));
    }
}
