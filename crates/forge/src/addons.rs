//! Reads the manifests of add-ons from files, as `kubectl apply` would: several documents in a file,
//! lists taken apart. Everything that is wrong is told at once.
//!
//! Never here: what their namespaces may hold; a control knows.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use ringfort_facts::manifest;
use ringfort_model::addon::Addon;
use ringfort_spec::{Spec, on_disk};
use serde_json::Value;

/// Says why manifests cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("manifests of add-ons cannot be applied:{}", lines(.flaws))]
pub struct AddonsError {
    /// Everything that is wrong.
    pub flaws: Vec<Flaw>,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flaw {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

fn lines(flaws: &[Flaw]) -> String {
    flaws.iter().map(|flaw| format!("\n  {flaw}")).collect()
}

/// Reads the manifests of all add-ons of a spec.
///
/// # Errors
/// A file cannot be read, is no YAML, or holds what cannot be applied.
pub fn read(spec: &Spec, home: &Path, beside: &Path) -> Result<Vec<Addon>, AddonsError> {
    let (mut addons, mut flaws) = (Vec::new(), Vec::new());
    for addon in &spec.addons {
        let mut objects = Vec::new();
        for file in &addon.files {
            let path = on_disk(file, home, beside);
            let text = fs::read_to_string(&path).map_err(|error| vec![error.to_string()]);
            match text.and_then(|text| manifests(&text)) {
                Ok(read) => objects.extend(read),
                Err(all) => {
                    flaws.extend(all.into_iter().map(|what| Flaw { file: path.clone(), what }));
                }
            }
        }
        addons.push(Addon { name: addon.name.clone(), objects });
    }
    if flaws.is_empty() { Ok(addons) } else { Err(AddonsError { flaws }) }
}

/// Takes a file's text apart into objects.
fn manifests(text: &str) -> Result<Vec<Value>, Vec<String>> {
    let documents =
        manifest::read(text).map_err(|error| vec![format!("it is no YAML: {error}")])?;
    let (mut objects, mut flaws) = (Vec::new(), Vec::new());
    for document in &documents {
        let place = format!("document {}", document.index() + 1);
        for object in document.objects() {
            match flaw(object) {
                Some(what) => flaws.push(format!("{place}: {what}")),
                None => objects.push(object.clone()),
            }
        }
    }
    if flaws.is_empty() { Ok(objects) } else { Err(flaws) }
}

fn flaw(object: &Value) -> Option<String> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).filter(|t| !t.is_empty());
    let missing: Vec<&str> = ["/apiVersion", "/kind", "/metadata/name"]
        .into_iter()
        .filter(|path| text(path).is_none())
        .map(|path| path.trim_start_matches('/'))
        .collect();
    if !missing.is_empty() {
        return Some(format!("it has no {}", missing.join(" and no ").replace('/', ".")));
    }
    (text("/apiVersion") == Some("v1") && text("/kind") == Some("Secret")).then(|| {
        format!(
            "the Secret {} would stand in the open: leave it out, and make it with kubectl",
            text("/metadata/name").unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::manifests;

    const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: a }\n";

    #[test]
    fn documents_and_lists_are_taken_apart() {
        let list = "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n";
        let text = format!("# nothing yet\n---\n{ACCOUNT}---\n---\n{list}");
        let read = manifests(&text).unwrap();
        let names: Vec<_> = read.iter().map(|object| &object["metadata"]["name"]).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(manifests("").unwrap(), Vec::<serde_json::Value>::new());
    }

    #[test]
    fn numbers_are_read_as_kubernetes_reads_them() {
        let text = format!("{ACCOUNT}modes: [0644, 0400, 8]\nwords: [\"0644\", \"yes\"]\n");
        let read = manifests(&text).unwrap();
        assert_eq!(read[0]["modes"], json!([0o644, 0o400, 8]));
        assert_eq!(read[0]["words"], json!(["0644", "yes"]));
    }

    #[test]
    fn what_cannot_be_applied_is_told_all_at_once() {
        let secret =
            "apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: { a: hidden }\n";
        let text = format!("{ACCOUNT}---\nkind: ConfigMap\n---\n{secret}---\njust words\n");
        let flaws = manifests(&text).unwrap_err();
        assert_eq!(flaws.len(), 3, "{flaws:?}");
        assert!(
            flaws[0].contains("document 2: it has no apiVersion and no metadata.name"),
            "{flaws:?}"
        );
        assert!(flaws[1].contains("the Secret s") && !flaws[1].contains("hidden"), "{flaws:?}");
        assert!(flaws[2].contains("document 4"), "{flaws:?}");
        assert!(manifests("a: [").unwrap_err()[0].contains("no YAML"));
    }
}
