//! What containerd knows of its containers: whose they are, and which directories their roots are stacked of.
//! Pure. Its databases are read as bytes, so that nobody has to run.

mod bolt;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use bolt::{Bucket, Damaged, Database};

/// containerd's own directory.
pub const DIRECTORY: &str = "/var/lib/containerd";
/// What it knows of containers.
pub const CONTAINERS: &str = "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db";
/// What its stack of directories is known by.
pub const SNAPSHOTS: &str =
    "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/metadata.db";
/// Where these directories lie, each by its number.
pub const LAYERS: &str = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
/// The one way to stack directories that is read.
const SNAPSHOTTER: &str = "overlayfs";
/// No image has more layers.
const MOST_LAYERS: usize = 500;

/// A container, as far as the runtime knows whose it is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its id, as the runtime has it.
    pub id: String,
    /// Its name in the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The pod's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The pod's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The pod's uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The image, as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The digest of all layers of the image together: of the same files it is the same, whatever it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<String>,
}

impl Container {
    /// Says whose it is, as far as that is known. Names are the runtime's word, and forge no line.
    pub fn text(&self) -> String {
        let plain = |text: &String| text.escape_default().to_string();
        let own = self.name.as_ref().unwrap_or(&self.id);
        let mut text = format!("container {}", plain(own));
        if let (Some(pod), Some(namespace)) = (&self.pod, &self.namespace) {
            text.push_str(&format!(" of pod {}/{}", plain(namespace), plain(pod)));
        }
        text
    }
}

/// A directory that a root is stacked of.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Layer {
    /// Its number, which names its directory.
    pub number: u64,
    /// What it is known by; of an image's layer, its digest with those below.
    pub name: String,
}

/// A container's root: its own directory, and those of its image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stack {
    /// The container.
    pub container: Container,
    /// The number of the directory that takes what the container writes.
    pub own: u64,
    /// The image's layers, the uppermost first.
    pub image: Vec<Layer>,
}

/// The containers of a machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Containers {
    /// Those whose root is known.
    pub stacks: Vec<Stack>,
    /// Those whose root is not, by their id, with the reason.
    pub unknown: Vec<(String, String)>,
}

/// Reads both of containerd's databases. Where there are no directories to stack, there is no second one.
///
/// # Errors
/// One of them is damaged.
pub fn read(containers: &[u8], snapshots: Option<&[u8]>) -> Result<Containers, Damaged> {
    let snapshots = snapshots.map(read_snapshots).transpose()?.unwrap_or_default();
    let database = Database::read(containers)?;
    let mut all = Containers::default();
    let Some(version) = database.root().bucket("v1")? else { return Ok(all) };
    for (_, entry) in version.entries()? {
        if let Some(namespace) = entry.bucket() {
            read_namespace(&namespace, &snapshots, &mut all)?;
        }
    }
    Ok(all)
}

/// A directory as its own database has it.
struct Snapshot {
    number: u64,
    parent: Option<String>,
}

fn read_snapshots(bytes: &[u8]) -> Result<BTreeMap<String, Snapshot>, Damaged> {
    let database = Database::read(bytes)?;
    let mut all = BTreeMap::new();
    let version = database.root().bucket("v1")?;
    let Some(snapshots) = version.map(|it| it.bucket("snapshots")).transpose()?.flatten() else {
        return Ok(all);
    };
    for (name, entry) in snapshots.entries()? {
        let Some(fields) = entry.bucket() else { continue };
        let fields = Fields::of(&fields)?;
        let number = fields.bytes("id").and_then(uvarint);
        let number = number.ok_or(Damaged("a snapshot has no number"))?;
        let parent = fields.text("parent").filter(|parent| !parent.is_empty());
        all.insert(String::from_utf8_lossy(name).into_owned(), Snapshot { number, parent });
    }
    Ok(all)
}

fn read_namespace(
    namespace: &Bucket<'_, '_>,
    snapshots: &BTreeMap<String, Snapshot>,
    all: &mut Containers,
) -> Result<(), Damaged> {
    let Some(containers) = namespace.bucket("containers")? else { return Ok(()) };
    let names = read_names(namespace)?;
    for (id, entry) in containers.entries()? {
        let Some(bucket) = entry.bucket() else { continue };
        let id = String::from_utf8_lossy(id).into_owned();
        let fields = Fields::of(&bucket)?;
        let container = read_container(&id, &bucket, &fields)?;
        let snapshotter = fields.text("snapshotter").unwrap_or_default();
        let key = fields.text("snapshotKey").unwrap_or_default();
        if key.is_empty() {
            let why = "the runtime does not know its root".to_owned();
            all.unknown.push((id, why));
            continue;
        }
        if snapshotter != SNAPSHOTTER {
            let why = format!("its root is made by {snapshotter}, which is not read");
            all.unknown.push((id, why));
            continue;
        }
        match names.get(&key).ok_or("its root is not there").and_then(|it| stack(it, snapshots)) {
            Ok((own, image)) => {
                let container = Container { layers: digest_of(&image), ..container };
                all.stacks.push(Stack { container, own, image });
            }
            Err(why) => all.unknown.push((id, why.to_owned())),
        }
    }
    Ok(())
}

/// What a namespace's keys of snapshots are known by where these lie.
fn read_names(namespace: &Bucket<'_, '_>) -> Result<BTreeMap<String, String>, Damaged> {
    let snapshotters = namespace.bucket("snapshots")?;
    let Some(bucket) = snapshotters.map(|it| it.bucket(SNAPSHOTTER)).transpose()?.flatten() else {
        return Ok(BTreeMap::new());
    };
    let mut names = BTreeMap::new();
    for (key, entry) in bucket.entries()? {
        let Some(fields) = entry.bucket() else { continue };
        if let Some(name) = Fields::of(&fields)?.text("name") {
            names.insert(String::from_utf8_lossy(key).into_owned(), name);
        }
    }
    Ok(names)
}

fn read_container(
    id: &str,
    bucket: &Bucket<'_, '_>,
    fields: &Fields<'_>,
) -> Result<Container, Damaged> {
    let labels = match bucket.bucket("labels")? {
        Some(labels) => Fields::of(&labels)?,
        None => Fields(BTreeMap::new()),
    };
    Ok(Container {
        id: id.to_owned(),
        name: labels.text("io.kubernetes.container.name"),
        pod: labels.text("io.kubernetes.pod.name"),
        namespace: labels.text("io.kubernetes.pod.namespace"),
        uid: labels.text("io.kubernetes.pod.uid"),
        image: fields.text("image").filter(|image| !image.is_empty()),
        layers: None,
    })
}

/// Gives what the uppermost layer is known by: its digest with all those below it.
fn digest_of(image: &[Layer]) -> Option<String> {
    let (_, digest) = image.first()?.name.rsplit_once('/')?;
    digest.starts_with("sha256:").then(|| digest.to_owned())
}

/// Follows what a root is stacked of down to the lowest layer.
fn stack(
    name: &str,
    snapshots: &BTreeMap<String, Snapshot>,
) -> Result<(u64, Vec<Layer>), &'static str> {
    let missing = "what its root is stacked of is not all there";
    let own = snapshots.get(name).ok_or(missing)?;
    let (mut image, mut known) = (Vec::new(), BTreeSet::from([own.number]));
    let mut below = own.parent.as_ref();
    while let Some(name) = below {
        let layer = snapshots.get(name).ok_or(missing)?;
        if !known.insert(layer.number) || image.len() == MOST_LAYERS {
            return Err("what its root is stacked of has no end");
        }
        image.push(Layer { number: layer.number, name: name.clone() });
        below = layer.parent.as_ref();
    }
    Ok((own.number, image))
}

/// The values of a bucket, by their names.
struct Fields<'a>(BTreeMap<&'a [u8], &'a [u8]>);

impl<'a> Fields<'a> {
    fn of(bucket: &Bucket<'_, 'a>) -> Result<Self, Damaged> {
        let values = bucket.entries()?.into_iter();
        Ok(Self(values.filter_map(|(key, entry)| Some((key, entry.value()?))).collect()))
    }

    fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.0.get(name.as_bytes()).copied()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// Reads a number of seven bits a byte, the least first.
fn uvarint(bytes: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[path = "containerd/made.rs"]
pub(crate) mod made;
#[cfg(test)]
#[path = "containerd/tests.rs"]
mod tests;
