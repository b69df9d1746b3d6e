//! The JSON Schema that is kept for editors.

use std::path::Path;

#[test]
fn the_kept_schema_is_the_one_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/cluster.json");
    let made = serde_json::to_string_pretty(&ringfort_spec::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "schema/cluster.json is old: run the tests with UPDATE_GOLDEN=1");
}

/// A field that nobody explains is a field that nobody can decide.
#[test]
fn every_field_is_explained() {
    let schema = ringfort_spec::schema();
    let defs = schema["$defs"].as_object().unwrap().values();
    for object in defs.chain([&schema]) {
        for (name, field) in object["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string(), "{name}: {field}");
        }
    }
}
