//! Lists what is inside binaries: Go writes the modules of a program into it, and this reads them
//! from there, so that the list tells what is in a file and not what was meant to be.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use ringfort_model::digest::Digest;

/// The modules inside a binary.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Contents {
    /// The compiler, as Go names it.
    pub compiler: String,
    /// The package of its main function.
    pub main: String,
    /// Each module with its version and its sum.
    pub modules: BTreeSet<Module>,
}

/// A module inside a binary.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Module {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Its sum, as `go.sum` has it.
    pub sum: String,
}

impl Contents {
    /// Reads what Go wrote into a binary; nothing if it wrote nothing.
    ///
    /// The format is that of Go 1.18 and later: sixteen aligned bytes with a magic text, flags and
    /// padding up to 32, then the version and the modules as texts with their length before them
    /// (`debug/buildinfo` in Go's standard library).
    pub(super) fn of(binary: &[u8]) -> Option<Self> {
        let is_head = |piece: &[u8]| piece.starts_with(MAGIC) && piece[15] & INLINE != 0;
        let head = binary.chunks_exact(16).position(is_head)? * 16;
        let (compiler, rest) = text(binary.get(head + 32..)?)?;
        let (modules, _) = text(rest)?;
        // The module text stands between two marks of sixteen bytes each.
        let modules = modules.get(16..modules.len().checked_sub(16)?)?;
        let modules = String::from_utf8_lossy(modules);
        Some(Self {
            compiler: String::from_utf8_lossy(compiler).into_owned(),
            main: modules
                .lines()
                .find_map(|line| line.strip_prefix("path\t"))
                .unwrap_or_default()
                .to_owned(),
            modules: read_modules(&modules),
        })
    }
}

const MAGIC: &[u8] = b"\xff Go buildinf:";
const INLINE: u8 = 2;

/// Reads a text with its length before it, seven bits a byte, the lowest first.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length: u64 = 0;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).ok()?;
            let rest = &bytes[at + 1..];
            return (length <= rest.len()).then(|| rest.split_at(length));
        }
    }
    None
}

/// A line `dep` names a module; a line `=>` after it, what it was replaced by.
fn read_modules(text: &str) -> BTreeSet<Module> {
    let mut modules = Vec::new();
    for line in text.lines() {
        let mut words = line.split('\t');
        let word = words.next().unwrap_or_default();
        if word != "dep" && word != "=>" {
            continue;
        }
        let mut next = || words.next().unwrap_or_default().to_owned();
        let module = Module { path: next(), version: next(), sum: next() };
        if word == "=>" {
            modules.pop();
        }
        modules.push(module);
    }
    modules.into_iter().collect()
}

/// A program, as the list has it.
#[derive(Debug)]
pub(super) struct Listed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence.
    pub licence: String,
    /// Where it comes from.
    pub origin: String,
    /// Its digest.
    pub sha256: Digest,
    /// What is inside.
    pub contents: Contents,
}

/// Names a program in the list.
pub(super) fn reference(name: &str, version: &str) -> String {
    format!("ringfort:program/{name}@{version}")
}

/// Writes the list as a CycloneDX 1.6 document, the same bytes for the same programs.
pub(super) fn document(kubernetes: &str, programs: &[Listed]) -> String {
    let mut components: Vec<Value> = programs.iter().map(Listed::component).collect();
    let modules: BTreeMap<String, &Module> = programs
        .iter()
        .flat_map(|program| &program.contents.modules)
        .map(|module| (module.url(), module))
        .collect();
    components.extend(modules.values().map(|module| module.component()));
    let dependencies: Vec<Value> = programs.iter().map(Listed::dependencies).collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "platform",
            "bom-ref": format!("ringfort:bundle/kubernetes@{kubernetes}"),
            "name": "ringfort-bundle",
            "version": kubernetes,
        }},
        "components": components,
        "dependencies": dependencies,
    });
    let mut text = serde_json::to_string_pretty(&document).expect("a document has text keys only");
    text.push('\n');
    text
}

impl Listed {
    fn component(&self) -> Value {
        json!({
            "type": "application",
            "bom-ref": reference(&self.name, &self.version),
            "name": self.name,
            "version": self.version,
            "hashes": [{"alg": "SHA-256", "content": self.sha256}],
            "licenses": [{"expression": self.licence}],
            "properties": [
                {"name": "ringfort:origin", "value": self.origin},
                {"name": "ringfort:compiler", "value": self.contents.compiler},
            ],
        })
    }

    fn dependencies(&self) -> Value {
        let modules: Vec<String> = self.contents.modules.iter().map(Module::url).collect();
        json!({"ref": reference(&self.name, &self.version), "dependsOn": modules})
    }
}

impl Module {
    fn url(&self) -> String {
        format!("pkg:golang/{}@{}", self.path, self.version)
    }

    fn component(&self) -> Value {
        json!({
            "type": "library",
            "bom-ref": self.url(),
            "name": self.path,
            "version": self.version,
            "purl": self.url(),
            "properties": [{"name": "ringfort:go-sum", "value": self.sum}],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Contents, Listed, document};
    use ringfort_model::digest::Digest;

    const MARK: &[u8] = &[7; 16];

    /// Writes a binary as Go's linker does, with the head on an aligned place.
    fn binary(compiler: &str, modules: &str) -> Vec<u8> {
        let mut bytes = vec![0; 48];
        bytes.extend_from_slice(b"\xff Go buildinf:\x08\x02");
        bytes.resize(80, 0);
        let modules = [MARK, modules.as_bytes(), MARK].concat();
        for text in [compiler.as_bytes(), &modules] {
            let mut length = text.len();
            while length > 0x7f {
                bytes.push((length & 0x7f) as u8 | 0x80);
                length >>= 7;
            }
            bytes.push(length as u8);
            bytes.extend_from_slice(text);
        }
        bytes.extend_from_slice(&[0; 40]);
        bytes
    }

    const MODULES: &str = "path\tk8s.io/kubernetes/cmd/kubelet
mod\tringfort.dev/bundle\t(devel)\t
dep\texample.org/a\tv1.0.0\th1:a=
dep\texample.org/b\tv0.0.0\th1:b=
=>\texample.org/c\tv2.0.0\th1:c=
build\t-trimpath=true
";

    #[test]
    fn modules_are_read_from_the_binary() {
        let read = Contents::of(&binary("go1.26.8", MODULES)).expect("a binary of Go");
        assert_eq!(read.compiler, "go1.26.8");
        assert_eq!(read.main, "k8s.io/kubernetes/cmd/kubelet");
        let modules: Vec<String> =
            read.modules.iter().map(|module| format!("{} {}", module.url(), module.sum)).collect();
        let expected =
            ["pkg:golang/example.org/a@v1.0.0 h1:a=", "pkg:golang/example.org/c@v2.0.0 h1:c="];
        assert_eq!(modules, expected);
    }

    #[test]
    fn what_is_no_binary_of_go_has_no_contents_wherever_it_ends() {
        assert_eq!(Contents::of(b"#!/bin/sh"), None);
        let whole = binary("go1.26.8", MODULES);
        for end in 0..whole.len() - 40 {
            assert_eq!(Contents::of(&whole[..end]), None, "cut after {end} bytes");
        }
    }

    #[test]
    fn the_list_names_each_module_once() {
        let contents = Contents::of(&binary("go1.26.8", MODULES)).expect("a binary of Go");
        let listed = |name: &str| Listed {
            name: name.to_owned(),
            version: "1".to_owned(),
            licence: "Apache-2.0".to_owned(),
            origin: "here".to_owned(),
            sha256: Digest::of(b""),
            contents: contents.clone(),
        };
        let text = document("1.37.2", &[listed("a"), listed("b")]);
        assert_eq!(text.matches("\"purl\": \"pkg:golang/example.org/a@v1.0.0\"").count(), 1);
        assert_eq!(text.matches("\"type\": \"application\"").count(), 2);
        assert_eq!(text, document("1.37.2", &[listed("a"), listed("b")]));
    }
}
