use ringfort_facts::manifest;
use serde_json::{Value, json};

use super::{Why, apply, edits};

/// Makes a text's first document say what a change makes of it.
fn written(text: &str, change: impl FnOnce(&mut Value)) -> Result<String, Why> {
    let documents = manifest::read(text).unwrap();
    let mut wanted = documents[0].value().clone();
    change(&mut wanted);
    let edits = edits(text, documents[0].node(), &wanted).map_err(|it| it.why)?;
    let edited = apply(text, &edits);
    let read = manifest::read(&edited).unwrap_or_else(|error| panic!("{error}:\n{edited}"));
    assert_eq!(read[0].value(), &wanted, "{edited}");
    Ok(edited)
}

#[track_caller]
fn check(text: &str, change: impl FnOnce(&mut Value), expected: &str) {
    assert_eq!(written(text, change).as_deref(), Ok(expected));
}

fn remove(value: &mut Value, key: &str) {
    value.as_object_mut().unwrap().shift_remove(key).unwrap();
}

#[test]
fn a_single_value_is_exchanged_where_it_stands() {
    let change = |it: &mut Value| it["a"]["b"] = json!(false);
    check("a:\n  b:   true  # why\n", change, "a:\n  b:   false  # why\n");
    check("a: {b: yes}\r\n", change, "a: {b: false}\r\n");
    check("{\"a\":{\"b\":true}}", change, "{\"a\":{\"b\":false}}");
    check("a:\n  b: &x on\n", change, "a:\n  b: &x false\n");
    check("a:\n  b: # nothing\n", change, "a:\n  b: false # nothing\n");
}

#[test]
fn an_entry_is_added_behind_the_last_in_the_style_of_its_neighbours() {
    let change = |it: &mut Value| it["a"]["k"] = json!({"x": false, "m": {"z": ["ALL"]}});
    check(
        "a:\n  b: c # why\n# next\nd: e\n",
        change,
        "a:\n  b: c # why\n  k:\n    x: false\n    m:\n      z: [ALL]\n# next\nd: e\n",
    );
    check(
        "a:\r\n  b: |\r\n    text\r\n\r\nd: e\r\n",
        change,
        "a:\r\n  b: |\r\n    text\r\n  k:\r\n    x: false\r\n    m:\r\n      z: [ALL]\r\n\r\nd: e\r\n",
    );
    check(
        "a:\n  b: |+\n    text\n\nd: e\n",
        change,
        "a:\n  b: |+\n    text\n\n  k:\n    x: false\n    m:\n      z: [ALL]\nd: e\n",
    );
    check("a:\n  b:", change, "a:\n  b:\n  k:\n    x: false\n    m:\n      z: [ALL]");
    check("a: {b: c}\n", change, "a: {b: c, k: {x: false, m: {z: [ALL]}}}\n");
    check("a: {}\n", change, "a: {k: {x: false, m: {z: [ALL]}}}\n");
    check("a:\nb: c\n", change, "a:\n  k:\n    x: false\n    m:\n      z: [ALL]\nb: c\n");
    check("a: null\n", change, "a: {k: {x: false, m: {z: [ALL]}}}\n");
    check(
        "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n",
        change,
        "{\n  \"a\": {\n    \"b\": 1,\n    \"k\": {\n      \"x\": false,\n      \"m\": {\n        \"z\": [\"ALL\"]\n      }\n    }\n  }\n}\n",
    );
}

#[test]
fn an_entry_goes_with_its_lines_and_its_own_comment() {
    let change = |it: &mut Value| remove(&mut it["l"][0], "a");
    check("l:\n- b: 1\n  a: 2 # two\n  # c\n  c: 3\n", change, "l:\n- b: 1\n  # c\n  c: 3\n");
    check("l:\n  - a:\n      x: 2\n    b: 1\n", change, "l:\n  - b: 1\n");
    check("l:\n- a: 2\n  # of b\n  b: 1\n", change, "l:\n-\n  # of b\n  b: 1\n");
    check("l: [{a: 1, b: 2}]\n", change, "l: [{b: 2}]\n");
    check("l: [{b: 2, a: 1, c: 3,}]\n", change, "l: [{b: 2, c: 3,}]\n");
    check("{\"l\": [{\n  \"b\": 1,\n  \"a\": 2\n}]}", change, "{\"l\": [{\n  \"b\": 1\n}]}");
    check("l:\n- b:\n  a: 1", change, "l:\n- b:\n");
    assert_eq!(written("l: [{b: 2, # of b\n  a: 1}]\n", change), Err(Why::Comment));
}

#[test]
fn what_is_emptied_says_so() {
    let map = |it: &mut Value| it["a"]["b"] = json!({});
    check("a:\n  b: # all\n    x: 1\n    y: 2\n  c: 3\n", map, "a:\n  b: {} # all\n  c: 3\n");
    check("a: {b: {x: 1}}\n", map, "a: {b: {}}\n");
    let list = |it: &mut Value| it["a"] = json!([]);
    check("a:\n- 1\n- 2\n# end\n", list, "a: []\n# end\n");
    check("a: [1]\n", list, "a: []\n");
}

#[test]
fn lists_grow_and_shrink() {
    let longer = |it: &mut Value| it["a"].as_array_mut().unwrap().push(json!("ALL"));
    check("a:\n  - X # x\nb: 1\n", longer, "a:\n  - X # x\n  - ALL\nb: 1\n");
    check("a:\n- [X]\n", longer, "a:\n- [X]\n- ALL\n");
    check("a: [ X ]\n", longer, "a: [ X, ALL ]\n");
    check("a: []\n", longer, "a: [ALL]\n");
    check("{\"a\": [\n    \"X\"\n]}", longer, "{\"a\": [\n    \"X\",\n    \"ALL\"\n]}");
    let shorter = |it: &mut Value| drop(it["a"].as_array_mut().unwrap().remove(0));
    check("a:\n- X # x\n# y\n- Y\n", shorter, "a:\n# y\n- Y\n");
    check("a: [X, Y, Z]\n", shorter, "a: [Y, Z]\n");
    check("a:\n- x: 1\n  y: 2\n- z\n", shorter, "a:\n- z\n");
}

#[test]
fn what_is_shared_is_refused() {
    let change = |it: &mut Value| it["b"]["x"] = json!(false);
    assert_eq!(written("a: &a\n  x: true\nb: *a\n", change), Err(Why::Alias));
    assert_eq!(written("a:\n  <<: {}\nb: &a\n  x: true\nc: *a\n", change), Err(Why::Anchor));
    assert_eq!(written("b: &a {}\nc: [*a]\n", change), Err(Why::Anchor));
    assert_eq!(written("a: &a {y: 1}\nb:\n  <<: *a\n  x: true\n", change), Err(Why::Merge));
    check("b: &a\n  x: true\nc: 1\n", change, "b: &a\n  x: false\nc: 1\n");
    let of_key = |it: &mut Value| it["a"] = json!("y");
    assert_eq!(written("a: &a x\n*a : 1\n", of_key), Err(Why::Anchor));
}
