//! containerd's databases as tests make them: each bucket in its place, so that one page holds all.

/// A bucket, or a value.
pub(crate) enum Node {
    Bucket(Vec<(String, Node)>),
    Value(Vec<u8>),
}

pub(crate) fn bucket(all: impl IntoIterator<Item = (&'static str, Node)>) -> Node {
    Node::Bucket(all.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
}

pub(crate) fn value(text: impl AsRef<[u8]>) -> Node {
    Node::Value(text.as_ref().to_vec())
}

const PAGE_BYTES: usize = 4_096;
const HEAD_BYTES: usize = 16;

/// Writes a database with this as its outermost bucket.
pub(crate) fn database(root: &Node) -> Vec<u8> {
    let Node::Bucket(entries) = root else { panic!("a root is a bucket") };
    let leaf = page(2, entries);
    let pages = leaf.len().div_ceil(PAGE_BYTES);
    let mut bytes = vec![0; (2 + pages) * PAGE_BYTES];
    for number in 0..2 {
        let at = number as usize * PAGE_BYTES;
        bytes[at + 8..at + 10].copy_from_slice(&4_u16.to_le_bytes());
        let mut meta = Vec::new();
        for word in [0xed0c_daed_u32, 2, PAGE_BYTES as u32, 0] {
            meta.extend(word.to_le_bytes());
        }
        for word in [2_u64, 0, 0, 2 + pages as u64, number] {
            meta.extend(word.to_le_bytes());
        }
        meta.extend(fnv(&meta).to_le_bytes());
        bytes[at + HEAD_BYTES..at + HEAD_BYTES + meta.len()].copy_from_slice(&meta);
    }
    let at = 2 * PAGE_BYTES;
    bytes[at..at + leaf.len()].copy_from_slice(&leaf);
    bytes[at + 12..at + 16].copy_from_slice(&(pages as u32 - 1).to_le_bytes());
    bytes
}

fn page(number: u64, entries: &[(String, Node)]) -> Vec<u8> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    let mut head = number.to_le_bytes().to_vec();
    head.extend(2_u16.to_le_bytes());
    head.extend(u16::try_from(sorted.len()).unwrap().to_le_bytes());
    head.extend(0_u32.to_le_bytes());
    let mut data = Vec::new();
    for (at, (key, node)) in sorted.iter().enumerate() {
        let (flags, value) = match node {
            Node::Value(value) => (0_u32, value.clone()),
            Node::Bucket(entries) => (1, [vec![0; 16], page(0, entries)].concat()),
        };
        let from = (sorted.len() - at) * 16 + data.len();
        for word in [flags, from as u32, key.len() as u32, value.len() as u32] {
            head.extend(word.to_le_bytes());
        }
        data.extend(key.as_bytes());
        data.extend(value);
    }
    [head, data].concat()
}

pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let add = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, add)
}

/// Containers `c3`, `c4` and so on of pods `shop/web-3` and so on, each with the directory of its number on those
/// of the image, 2 and 1.
pub(crate) fn containers(own: &[u64]) -> (Vec<u8>, Vec<u8>) {
    let labels = |number: u64| {
        bucket([
            ("io.kubernetes.container.name", value("app")),
            ("io.kubernetes.pod.name", value(format!("web-{number}"))),
            ("io.kubernetes.pod.namespace", value("shop")),
            ("io.kubernetes.pod.uid", value("0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33")),
        ])
    };
    let container = |number: u64| {
        bucket([
            ("image", value("registry.example/web:1")),
            ("snapshotter", value("overlayfs")),
            ("snapshotKey", value(format!("c{number}"))),
            ("labels", labels(number)),
        ])
    };
    let name = |number: u64| format!("k8s.io/{number}/c{number}");
    let of = |make: &dyn Fn(u64) -> Node| {
        Node::Bucket(own.iter().map(|&number| (format!("c{number}"), make(number))).collect())
    };
    let names = of(&|number| bucket([("name", value(name(number)))]));
    let namespace =
        bucket([("containers", of(&container)), ("snapshots", bucket([("overlayfs", names)]))]);
    let version = bucket([("k8s.io", namespace), ("version", value([3]))]);
    let (base, top) = ("k8s.io/1/sha256:base", "k8s.io/2/sha256:top");
    let snapshot = |number: u64, kind: u8, parent: &str| {
        let of =
            [("id", value([number as u8])), ("kind", value([kind])), ("parent", value(parent))];
        bucket(of)
    };
    let mut snapshots =
        vec![(base.to_owned(), snapshot(1, 3, "")), (top.to_owned(), snapshot(2, 3, base))];
    snapshots.extend(own.iter().map(|&number| (name(number), snapshot(number, 2, top))));
    let snapshots = bucket([("v1", bucket([("snapshots", Node::Bucket(snapshots))]))]);
    (database(&bucket([("v1", version)])), database(&snapshots))
}
