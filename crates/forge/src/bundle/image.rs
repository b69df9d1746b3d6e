//! Makes container images: one program in one layer, as an archive that container runtimes import
//! (the OCI image layout in a tar).
//!
//! Nothing of the machine gets in: no clock, no owner, no order of a directory. The same program
//! gives the same bytes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use ringfort_model::digest::Digest;

/// What an image is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe<'a> {
    /// Its name, as pods name it.
    pub reference: &'a str,
    /// The user it runs as; empty means root.
    pub user: &'a str,
    /// Where the program lies, without the first slash.
    pub path: &'a str,
    /// The program.
    pub program: &'a [u8],
    /// Certificates of public authorities, if it needs them.
    pub authorities: Option<&'a [u8]>,
    /// Version, licence and origin, for those who look.
    pub labels: [(&'a str, &'a str); 3],
}

/// An image as an archive.
#[derive(Debug)]
pub(super) struct Archive {
    /// The archive.
    pub bytes: Vec<u8>,
    /// Digest of the image's manifest.
    pub manifest: Digest,
}

/// Packs an image.
pub(super) fn pack(recipe: &Recipe<'_>) -> Archive {
    let layer = layer(recipe);
    let layer_digest = Digest::of(&layer);
    let config = compact(&config(recipe, &layer_digest));
    let config_digest = Digest::of(&config);
    let manifest = compact(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config_digest, config.len()),
        "layers": [descriptor(LAYER, &layer_digest, layer.len())],
    }));
    let manifest_digest = Digest::of(&manifest);
    let index = compact(&index(recipe, &manifest_digest, manifest.len()));
    let mut tar = Tar::default();
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
    tar.file("index.json", 0o644, &index);
    tar.blob(&manifest_digest, &manifest);
    tar.blob(&config_digest, &config);
    tar.blob(&layer_digest, &layer);
    Archive { bytes: tar.finish(), manifest: manifest_digest }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The date that every image carries: the first second of 1970, since any other would be a claim.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// Where Go looks for certificates first on Linux (crypto/x509/root_linux.go).
const AUTHORITIES_PATH: &str = "etc/ssl/certs/ca-certificates.crt";

fn layer(recipe: &Recipe<'_>) -> Vec<u8> {
    let mut tar = Tar::default();
    tar.directory("tmp", 0o1777);
    if let Some(authorities) = recipe.authorities {
        tar.file(AUTHORITIES_PATH, 0o644, authorities);
    }
    tar.file(recipe.path, 0o755, recipe.program);
    tar.finish()
}

fn config(recipe: &Recipe<'_>, layer: &Digest) -> Value {
    let labels: serde_json::Map<String, Value> =
        recipe.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({
        "created": CREATED,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": recipe.user,
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            "Entrypoint": [format!("/{}", recipe.path)],
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        "history": [{"created": CREATED, "created_by": "ringfort bundle build"}],
    })
}

fn index(recipe: &Recipe<'_>, manifest: &Digest, size: usize) -> Value {
    let tag = recipe.reference.rsplit_once(':').map_or(recipe.reference, |(_, tag)| tag);
    let mut described = descriptor(MANIFEST, manifest, size);
    described["platform"] = json!({"architecture": "amd64", "os": "linux"});
    described["annotations"] = json!({
        "io.containerd.image.name": recipe.reference,
        "org.opencontainers.image.ref.name": tag,
    });
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]})
}

fn descriptor(media_type: &str, digest: &Digest, size: usize) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size})
}

fn compact(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// A tar archive of files that belong to root and are as old as time.
#[derive(Default)]
struct Tar {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
}

impl Tar {
    fn blob(&mut self, digest: &Digest, bytes: &[u8]) {
        self.file(&format!("blobs/sha256/{digest}"), 0o644, bytes);
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        self.directories_above(path);
        self.header(path, mode, tar::EntryType::Regular, bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    }

    fn directory(&mut self, path: &str, mode: u32) {
        self.directories_above(path);
        if self.directories.insert(path.to_owned()) {
            self.header(&format!("{path}/"), mode, tar::EntryType::Directory, 0);
        }
    }

    fn directories_above(&mut self, path: &str) {
        if let Some((above, _)) = path.rsplit_once('/') {
            self.directory(above, 0o755);
        }
    }

    fn header(&mut self, path: &str, mode: u32, kind: tar::EntryType, size: usize) {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).expect("paths in images are short and relative");
        header.set_mode(mode);
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        self.bytes.extend_from_slice(header.as_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK_BYTES, 0);
        self.bytes
    }
}

const BLOCK_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use serde_json::{Value, json};

    use ringfort_model::digest::Digest;

    use super::{Recipe, pack};

    const RECIPE: Recipe<'static> = Recipe {
        reference: "registry.k8s.io/pause:3.10.2",
        user: "65535:65535",
        path: "usr/local/bin/pause",
        program: b"program",
        authorities: None,
        labels: [("a", "1"), ("b", "2"), ("c", "3")],
    };

    /// Unpacks a tar: for each path its mode, owner, time and content.
    fn unpack(bytes: &[u8]) -> BTreeMap<String, (u32, u64, u64, Vec<u8>)> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().expect("a tar");
        let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.expect("an entry");
            let header = entry.header().clone();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("its content");
            let path = entry.path().expect("a path").display().to_string();
            let mode = header.mode().expect("a mode");
            let uid = header.uid().expect("an owner");
            (path, (mode, uid, header.mtime().expect("a time"), content))
        };
        entries.map(read).collect()
    }

    fn blob(files: &BTreeMap<String, (u32, u64, u64, Vec<u8>)>, descriptor: &Value) -> Vec<u8> {
        let digest = descriptor["digest"].as_str().expect("a digest").replace("sha256:", "");
        let bytes = files[&format!("blobs/sha256/{digest}")].3.clone();
        assert_eq!(Digest::of(&bytes).as_str(), digest);
        assert_eq!(descriptor["size"], json!(bytes.len()));
        bytes
    }

    fn parse(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).expect("JSON")
    }

    #[test]
    fn from_the_index_down_every_digest_is_true() {
        let archive = pack(&RECIPE);
        let files = unpack(&archive.bytes);
        let index = parse(&files["index.json"].3);
        let described = &index["manifests"][0];
        assert_eq!(described["digest"], json!(format!("sha256:{}", archive.manifest)));
        let name = &described["annotations"]["io.containerd.image.name"];
        assert_eq!(name, "registry.k8s.io/pause:3.10.2");
        assert_eq!(described["annotations"]["org.opencontainers.image.ref.name"], "3.10.2");
        let manifest = parse(&blob(&files, described));
        let config = parse(&blob(&files, &manifest["config"]));
        let layer = blob(&files, &manifest["layers"][0]);
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        assert_eq!(config["config"]["User"], "65535:65535");
        assert_eq!(config["config"]["Entrypoint"], json!(["/usr/local/bin/pause"]));
        let inside = unpack(&layer);
        assert_eq!(inside["usr/local/bin/pause"], (0o755, 0, 0, b"program".to_vec()));
        assert_eq!(inside["tmp/"].0, 0o1777);
        assert!(!inside.keys().any(|path| path.starts_with("etc")), "{:?}", inside.keys());
    }

    #[test]
    fn certificates_are_in_it_only_when_given() {
        let recipe = Recipe { authorities: Some(b"pem"), ..RECIPE };
        let files = unpack(&pack(&recipe).bytes);
        let manifest = parse(&blob(&files, &parse(&files["index.json"].3)["manifests"][0]));
        let inside = unpack(&blob(&files, &manifest["layers"][0]));
        assert_eq!(inside["etc/ssl/certs/ca-certificates.crt"].3, b"pem");
    }

    #[test]
    fn the_same_program_gives_the_same_bytes_and_another_gives_others() {
        assert_eq!(pack(&RECIPE).bytes, pack(&RECIPE).bytes);
        // A change of these digests means that every cluster gets new images: change it knowingly.
        assert_eq!(
            pack(&RECIPE).manifest.as_str(),
            "50bd0f8713e4a42e060c15aa62c88b9e5cc9b32d34a72401c6f55b4044975837"
        );
        let other = Recipe { program: b"Program", ..RECIPE };
        assert_ne!(pack(&RECIPE).manifest, pack(&other).manifest);
    }
}
