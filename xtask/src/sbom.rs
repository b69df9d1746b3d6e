//! The bill of materials of the command: CycloneDX 1.6, from what Cargo compiles. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::workspace::Package;

/// Describes `graph`, with the checksums of `lock`, as one document. Same input, same bytes.
pub(crate) fn document(version: &str, graph: &[Package], lock: &str) -> String {
    let checksums = checksums(lock);
    let components: Vec<_> = graph
        .iter()
        .filter(|package| package.name != "ringfort")
        .map(|package| component(package, &checksums))
        .collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": format!("ringfort@{version}"),
                "name": "ringfort",
                "version": version,
                "licenses": [{"expression": "Apache-2.0"}],
            },
        },
        "components": components,
    });
    format!("{document:#}\n")
}

/// Says what is wrong with a document: every package that is not one of `own` has a checksum, and
/// each states its licence.
pub(crate) fn flaws(document: &str, own: &[String]) -> Vec<String> {
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return vec!["the bill of materials is no JSON".to_owned()];
    };
    let components = document["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    if components.is_empty() {
        return vec!["the bill of materials names nothing".to_owned()];
    }
    let mut flaws = Vec::new();
    for component in components {
        let name = component["name"].as_str().unwrap_or_default();
        if component["licenses"].is_null() {
            flaws.push(format!("the bill of materials names no licence of {name}"));
        }
        if component["hashes"].is_null() && !own.iter().any(|own| own == name) {
            flaws.push(format!("the bill of materials has no checksum of {name}"));
        }
    }
    flaws
}

fn component(package: &Package, checksums: &BTreeMap<(&str, &str), &str>) -> Value {
    let Package { name, version, licence } = package;
    let mut component = json!({
        "type": "library",
        "bom-ref": format!("{name}@{version}"),
        "name": name,
        "version": version,
    });
    // What has no checksum comes from this repository, not from a registry.
    if let Some(checksum) = checksums.get(&(name.as_str(), version.as_str())) {
        component["purl"] = json!(format!("pkg:cargo/{name}@{version}"));
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if !licence.is_empty() {
        // Old packages separate alternatives by a stroke.
        component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
    }
    component
}

/// The checksum of each package that the lock file names.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    lock.split("[[package]]")
        .filter_map(|package| {
            let value = |key: &str| {
                package.lines().find_map(|line| {
                    line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')
                })
            };
            Some(((value("name")?, value("version")?), value("checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_a_component_with_its_checksum_and_licence() {
        let package = |name: &str, licence: &str| Package {
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            licence: licence.to_owned(),
        };
        let graph = [
            package("ringfort", "Apache-2.0"),
            package("ringfort-model", "Apache-2.0"),
            package("serde", "MIT/Apache-2.0"),
        ];
        let lock = "version = 4\n\n[[package]]\nname = \"ringfort-model\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"serde\"\nversion = \"1.2.3\"\nchecksum = \"aa\"\n";
        let found: Value = serde_json::from_str(&document("1.2.3", &graph, lock)).unwrap();
        assert_eq!(found["metadata"]["component"]["name"], "ringfort");
        assert_eq!(
            found["components"],
            json!([
                {
                    "type": "library",
                    "bom-ref": "ringfort-model@1.2.3",
                    "name": "ringfort-model",
                    "version": "1.2.3",
                    "licenses": [{"expression": "Apache-2.0"}],
                },
                {
                    "type": "library",
                    "bom-ref": "serde@1.2.3",
                    "name": "serde",
                    "version": "1.2.3",
                    "purl": "pkg:cargo/serde@1.2.3",
                    "hashes": [{"alg": "SHA-256", "content": "aa"}],
                    "licenses": [{"expression": "MIT OR Apache-2.0"}],
                },
            ])
        );
    }

    #[test]
    fn a_bill_that_leaves_something_out_is_found() {
        let check = |document: &str, expected: &[&str]| {
            assert_eq!(flaws(document, &["ours".to_owned()]), expected, "{document}");
        };
        let whole = r#"{"components": [{"name": "ours", "licenses": []},
            {"name": "a", "licenses": [], "hashes": []}]}"#;
        check(whole, &[]);
        check("{}", &["the bill of materials names nothing"]);
        check("-", &["the bill of materials is no JSON"]);
        let bare = r#"{"components": [{"name": "a", "licenses": []}, {"name": "ours"}]}"#;
        let expected = [
            "the bill of materials has no checksum of a",
            "the bill of materials names no licence of ours",
        ];
        check(bare, &expected);
    }
}
