//! Keys that must be on no machine: those of authorities, wherever and in whatever file they were left.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use ringfort_model::digest::Digest;
use ringfort_model::trust::TrustFacts;
use ringfort_pki::{PrivateKey, public_half};

use crate::MACHINES;
use crate::cluster::Cluster;

/// Prints every file that may hold a private key, with its keys: on all file systems that are the
/// machine's own, but for its programs, the bundle it was booted with, and what containerd keeps of
/// images as they came. What containers run on is looked at where it lies, not once more where it is
/// mounted. A larger file is no key, but etcd's data holds what somebody may have stored.
const LOOK: &str = r#"
export LC_ALL=C
awk '$3 !~ /^(proc|sysfs|cgroup2?|devpts|devtmpfs|mqueue|bpf|nsfs)$/ \
     && $2 !~ "^/(proc|sys|dev|run/containerd|lib/modules|usr|var/lib/ringfort/seed)(/|$)" {print $2}' \
    /proc/self/mounts | sort -u | while read -r place; do
        find "$place" -xdev \( -path /usr -o -path '*/io.containerd.content.v1.content' \) -prune \
            -o -type f \( -size -2048 -o -path '/var/lib/etcd/*' \) -print0
    done | xargs -0 -r grep -slaE 'PRIVATE KEY-----|LS0tLS1CRUdJTi' | sort -u | while read -r file; do
        echo "FILE $file"
        sed -n '/-----BEGIN .*PRIVATE KEY-----/,/-----END .*PRIVATE KEY-----/p' "$file" | tr -d '\000'
        grep -aoE 'LS0tLS1CRUdJTi[A-Za-z0-9+/]+' "$file" | sed 's/^/BASE64 /'
    done
true"#;

/// Files whose names say that they are none of a machine's, on the same file systems.
const NAMED: &str = r#"
awk '$2 !~ "^/(proc|sys|dev|run/containerd|usr)(/|$)" {print $2}' /proc/self/mounts | sort -u |
    while read -r place; do
        find "$place" -xdev -path /usr -prune -o -path '*/io.containerd.snapshotter.*' -prune -o \
            \( -name '*ca*.key' -o -name '*token*.csv' -o -name 'bootstrap*.conf' \) -print
    done
true"#;

/// Where a key of nobody is left for a moment: the look has to find it.
const PLANTED: [(&str, &str); 3] = [
    ("cp2", "/var/lib/etcd/planted"),
    ("w2", "/var/lib/kubelet/planted"),
    ("w3", "/var/lib/containerd/planted"),
];

/// No machine holds the key of an authority, a list of tokens, or a way to join.
pub fn none_of_authorities(cluster: &Cluster) {
    let authorities = authorities(cluster);
    let planted = PrivateKey::make().unwrap();
    let text = BASE64_STANDARD.encode(planted.pem().expose());
    for (machine, path) in PLANTED {
        cluster.on(machine, &format!("echo {text} | base64 -d >{path}"));
    }
    let found: BTreeMap<&str, Keys> =
        MACHINES.iter().map(|machine| (*machine, keys(&cluster.on(machine, LOOK)))).collect();
    for (machine, path) in PLANTED {
        cluster.on(machine, &format!("rm {path}"));
        let seen = found[machine].get(path);
        let expected = BTreeSet::from([Some(planted.public().id)]);
        assert_eq!(seen, Some(&expected), "{machine}: the look is blind in {path}");
    }
    for (machine, keys) in &found {
        for (path, halves) in keys {
            let is_of_authority = |half: &&Option<Digest>| {
                half.as_ref().is_none_or(|half| authorities.contains(half))
            };
            let bad: Vec<_> = halves.iter().filter(is_of_authority).collect();
            assert!(bad.is_empty(), "{machine}: {path} holds {bad:?}");
        }
        println!("     {machine}: {} files with private keys, none of an authority", keys.len());
        assert_eq!(cluster.on(machine, NAMED).trim(), "", "{machine}");
    }
}

/// The public halves of all authorities of the cluster.
fn authorities(cluster: &Cluster) -> BTreeSet<Digest> {
    let facts = std::fs::read_to_string(cluster.kubeconfig().with_file_name("trust.json")).unwrap();
    let facts = TrustFacts::read(&facts).unwrap();
    let public_key =
        |pem: &str| ringfort_facts::certificate::read(pem.as_bytes()).unwrap().public_key;
    let all: BTreeSet<Digest> =
        facts.authorities.values().map(|facts| public_key(&facts.certificate_pem)).collect();
    assert_eq!(all.len(), 4, "{all:?}");
    all
}

/// The public halves of the keys in each file; nothing in the place of one that is not understood.
type Keys = BTreeMap<String, BTreeSet<Option<Digest>>>;

/// Reads what was printed of a machine.
fn keys(printed: &str) -> Keys {
    let mut keys = Keys::new();
    for file in printed.split("FILE /").skip(1) {
        let (path, text) = file.split_once('\n').unwrap_or((file, ""));
        let encoded = text.lines().filter_map(|line| line.strip_prefix("BASE64 ")).map(decoded);
        let texts: Vec<String> = std::iter::once(text.to_owned()).chain(encoded).collect();
        let halves: BTreeSet<_> = texts.iter().flat_map(|text| halves(text)).collect();
        if !halves.is_empty() {
            keys.insert(format!("/{path}"), halves);
        }
    }
    keys
}

/// The public halves of the private keys in a text, but for those that only SSH reads.
fn halves(text: &str) -> Vec<Option<Digest>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let text = lines.join("\n");
    let blocks = text.split("-----BEGIN ").skip(1);
    let private = blocks.filter(|block| {
        let kind = block.lines().next().unwrap_or_default();
        kind.ends_with("PRIVATE KEY-----") && !kind.starts_with("OPENSSH")
    });
    private.map(|block| public_half(&format!("-----BEGIN {block}"))).collect()
}

/// Decodes as much of a text as was found.
fn decoded(text: &str) -> String {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let whole = text.len() - usize::from(text.len() % 4 == 1);
    let bytes = GeneralPurpose::new(&STANDARD, config).decode(&text[..whole]).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
