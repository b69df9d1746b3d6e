use super::made::{Node, bucket, containers, database, fnv, value};
use super::*;

#[test]
fn a_container_has_a_pod_and_a_stack_of_directories() {
    let (containers, snapshots) = containers(&[3]);
    let all = read(&containers, Some(&snapshots)).unwrap();
    assert_eq!(all.unknown, []);
    let [stack] = all.stacks.as_slice() else { panic!("{all:?}") };
    let owned = |text: &str| Some(text.to_owned());
    assert_eq!(
        stack.container,
        Container {
            id: "c3".to_owned(),
            name: owned("app"),
            pod: owned("web-3"),
            namespace: owned("shop"),
            uid: owned("0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33"),
            image: owned("registry.example/web:1"),
            layers: owned("sha256:top"),
        }
    );
    assert_eq!(stack.own, 3);
    let image: Vec<_> = stack.image.iter().map(|it| (it.number, it.name.as_str())).collect();
    assert_eq!(image, [(2, "k8s.io/2/sha256:top"), (1, "k8s.io/1/sha256:base")]);
}

#[test]
fn a_root_that_is_not_known_is_told() {
    let container = |snapshotter, key| {
        bucket([("snapshotter", value(snapshotter)), ("snapshotKey", value(key))])
    };
    let names = ["gone", "circle"].map(|key| (key, bucket([("name", value(key))])));
    let namespace = bucket([
        (
            "containers",
            bucket([
                ("a", container("nydus", "a")),
                ("b", container("overlayfs", "unnamed")),
                ("c", container("overlayfs", "gone")),
                ("d", container("overlayfs", "circle")),
                ("e", bucket([("image", value("x"))])),
            ]),
        ),
        ("snapshots", bucket([("overlayfs", bucket(names))])),
    ]);
    let circle = bucket([("id", value([1])), ("parent", value("circle"))]);
    let snapshots = bucket([("v1", bucket([("snapshots", bucket([("circle", circle)]))]))]);
    let containers = database(&bucket([("v1", bucket([("k8s.io", namespace)]))]));
    let all = read(&containers, Some(&database(&snapshots))).unwrap();
    assert_eq!(all.stacks, []);
    let unknown: Vec<_> = all.unknown.iter().map(|(id, why)| (id.as_str(), why.as_str())).collect();
    assert_eq!(
        unknown,
        [
            ("a", "its root is made by nydus, which is not read"),
            ("b", "its root is not there"),
            ("c", "what its root is stacked of is not all there"),
            ("d", "what its root is stacked of has no end"),
            ("e", "the runtime does not know its root"),
        ]
    );
}

#[test]
fn an_empty_database_has_no_containers_and_no_bytes_are_none() {
    let empty = database(&bucket([]));
    assert_eq!(read(&empty, Some(&empty)).unwrap(), Containers::default());
    assert!(read(b"", Some(&empty)).is_err() && read(&empty, Some(b"")).is_err());
}

#[test]
fn the_newest_whole_page_leads_to_everything() {
    let (containers, snapshots) = containers(&[3]);
    let check = |damage: &[usize], is_read: bool| {
        let mut bytes = containers.clone();
        damage.iter().for_each(|at| bytes[*at] ^= 1);
        assert_eq!(read(&bytes, Some(&snapshots)).is_ok(), is_read, "{damage:?}");
    };
    check(&[60], true);
    check(&[4_096 + 60], true);
    check(&[60, 4_096 + 60], false);
}

/// Whatever is damaged, reading ends, and what it gives is what was there or less of it.
#[test]
fn damage_ends_and_makes_up_no_container() {
    let (containers, snapshots) = containers(&[3]);
    for length in (0..containers.len()).step_by(7) {
        let _ = read(&containers[..length], Some(&snapshots));
        let _ = read(&containers, Some(&snapshots[..length.min(snapshots.len())]));
    }
    for at in 2 * 4_096..containers.len() {
        for bit in [1, 0x80] {
            let mut bytes = containers.clone();
            bytes[at] ^= bit;
            let found = read(&bytes, Some(&snapshots)).map_or(0, |all| all.stacks.len());
            assert!(found <= 1, "byte {at} makes {found}");
        }
    }
}

#[test]
fn pages_in_a_circle_end() {
    let mut bytes = database(&bucket([]));
    // The one page becomes a branch that leads to itself.
    let at = 2 * 4_096;
    bytes[at + 8] = 1;
    bytes[at + 10] = 1;
    bytes[at + 24] = 2;
    let error = read(&bytes, Some(&database(&bucket([])))).unwrap_err();
    assert!(error.to_string().contains("in a circle"), "{error}");
}

/// A branch that leads to one leaf again and again has no more entries than the bytes have.
#[test]
fn pages_that_are_read_again_and_again_end() {
    let names: Vec<String> = (0..1_000).map(|number| format!("{number:04}")).collect();
    let values = names.iter().map(|name| (name.clone(), value(name)));
    let mut bytes = database(&Node::Bucket(values.collect()));
    // A page at the end becomes the root: a branch of which all lead to the leaf.
    let (root, most) = (bytes.len() / 4_096, 200_u16);
    bytes.resize(bytes.len() + 4_096, 0);
    let page = &mut bytes[root * 4_096..];
    page[8] = 1;
    page[10..12].copy_from_slice(&most.to_le_bytes());
    for at in (0..usize::from(most)).map(|number| 16 + number * 16) {
        page[at + 8] = 2;
    }
    for meta in [0, 4_096] {
        bytes[meta + 32..meta + 40].copy_from_slice(&(root as u64).to_le_bytes());
        let sum = fnv(&bytes[meta + 16..meta + 72]);
        bytes[meta + 72..meta + 80].copy_from_slice(&sum.to_le_bytes());
    }
    let error = read(&bytes, None).unwrap_err().to_string();
    assert!(error.contains("more entries than fit"), "{error}");
}

/// Databases that bbolt 1.4.0 itself wrote, with pages of 1 KiB: branches, and values of more than one page.
#[test]
fn what_bbolt_wrote_is_read() {
    let containers = include_bytes!("samples/containers.db");
    let snapshots = include_bytes!("samples/snapshots.db");
    let all = read(containers, Some(snapshots)).unwrap();
    let found: Vec<_> = all.stacks.iter().map(|it| (it.container.text(), it.own)).collect();
    let pod = |number| format!("container web of pod shop/web-{number}");
    assert_eq!(found, [(pod(0), 3), (pod(1), 4), (pod(2), 5)]);
    assert!(all.stacks.iter().all(|it| it.image.len() == 2) && all.unknown.is_empty());
    for at in 0..containers.len() {
        let mut bytes = containers.to_vec();
        bytes[at] ^= 0x10;
        let found = read(&bytes, Some(snapshots)).map_or(0, |all| all.stacks.len());
        assert!(found <= 3, "byte {at} makes {found}");
    }
}
