//! What is read, where it stands, and what is refused.

use serde_json::{Value, json};

use super::tree::Budget;
use super::{Lines, Position, json, read, text, yaml};

fn check(text: &str, expected: &Value) {
    let read = read(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let values: Vec<Value> = read.into_iter().map(super::Document::into_value).collect();
    assert_eq!(Value::Array(values), *expected, "{text:?}");
}

fn refuse(text: &str, line: usize, column: usize, why: &str) {
    let error = read(text).expect_err(text);
    assert_eq!(error.at, Position { line, column }, "{text:?}: {error}");
    assert!(error.why.contains(why), "{text:?}: {error}");
}

#[test]
fn scalars_mean_what_they_mean_to_kubernetes() {
    let cases = [
        ("y", json!(true)),
        ("No", json!(false)),
        ("ON", json!(true)),
        ("oN", json!("oN")),
        ("'yes'", json!("yes")),
        ("~", Value::Null),
        ("", Value::Null),
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("-0x1F", json!(-31)),
        ("0b101", json!(5)),
        ("08", json!(8)),
        ("1_000", json!(1000)),
        ("1:30", json!("1:30")),
        ("2001-12-14", json!("2001-12-14")),
        ("1.0", json!(1)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000)),
        (".5", json!(0.5)),
        ("1e999", json!("1e999")),
        ("9223372036854775807", json!(i64::MAX)),
        ("9223372036854775808", json!(9_223_372_036_854_775_808.0)),
        ("--1", json!("--1")),
        ("+-1", json!("+-1")),
        ("1.2.3", json!("1.2.3")),
        ("<<", json!("<<")),
        ("!!str 5", json!("5")),
        ("!!int '5'", json!(5)),
        ("!own 5", json!("5")),
        ("!!str", json!("")),
        ("|\n  b\n  c\n", json!("b\nc\n")),
        (">-\n  b\n  c\n", json!("b c")),
        ("|\n  b", json!("b\n")),
        ("0b+1", json!(1)),
        ("-0b-1", json!("-0b-1")),
        (".5_0", json!(0.5)),
        ("._5", json!("._5")),
        ("! 5", json!("5")),
    ];
    for (written, expected) in cases {
        check(&format!("a: {written}"), &json!([{"a": expected}]));
    }
}

#[test]
fn keys_become_texts() {
    check(
        "1: a\ntrue: b\n1.5: c\n1e6: d\n",
        &json!([{"1": "a", "true": "b", "1.5": "c", "1e+06": "d"}]),
    );
    check("on: 1\n", &json!([{"true": 1}]));
    check("? a\n: 1\n", &json!([{"a": 1}]));
    refuse("9223372036854775808: 1\n", 1, 1, "too large");
    refuse("~: 1\n", 1, 1, "null");
    refuse("? [a]\n: 1\n", 1, 3, "text");
}

#[test]
fn texts_are_parted_as_kubernetes_parts_them() {
    check("", &json!([]));
    check("---\n# nothing\n---\na: 1\n--- # more\nb: 1\n---", &json!([{"a": 1}, {"b": 1}]));
    check("\u{feff}a: 1\r\n---\r\nb: |\r\n  x\r\n  y\r\n", &json!([{"a": 1}, {"b": "x\ny\n"}]));
    check("a: 1\n...\n---\nb: 1\n", &json!([{"a": 1}, {"b": 1}]));
    refuse("--- a: 1\n", 1, 1, "comment");
    refuse("a: 1\n...\nb: 1\n", 3, 1, "---");
}

#[test]
fn json_is_read_as_a_stream() {
    check(
        "\u{feff}\n{\t\"a\":\t[1, 2.0,\n\t-0, 1e2]}{\"b\": null}",
        &json!([{"a": [1, 2.0, 0, 100.0]}, {"b": null}]),
    );
    check(r#"{"a": "\ud83d\ude00 \ud800 \u00e9\n\/"}"#, &json!([{"a": "😀 \u{fffd} é\n/"}]));
    check("{a: 1}", &json!([{"a": 1}]));
    check("{\"a\": 1}\n---\nb: 1\n", &json!([{"a": 1}, {"b": 1}]));
    refuse("{\"a\": 1,\n \"a\": 2}", 2, 2, "twice");
    check("{\"a\": 01}", &json!([{"a": 1}]));
    refuse("{\"a\": 1}{\"a\": 1e999}", 1, 15, "no number");
}

#[test]
fn anchors_and_merges_are_resolved() {
    check("a: &x [1]\nb: *x\n", &json!([{"a": [1], "b": [1]}]));
    check(
        "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n",
        &json!([{"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}]),
    );
    // go-yaml lets what comes later win, also if that is a merge.
    check("a: &x {k: 1}\nb:\n  k: 3\n  <<: *x\n", &json!([{"a": {"k": 1}, "b": {"k": 1}}]));
    check("<<: [{k: 1}, {k: 2, l: 2}]\n", &json!([{"k": 1, "l": 2}]));
    check("a: &x k\n*x : 1\n", &json!([{"a": "k", "k": 1}]));
    refuse("a: &x [*x]\n", 1, 8, "inside");
    refuse("a: 1\n---\nb: *x\n", 3, 4, "anchor");
    refuse("<<: 1\n", 1, 1, "takes a map");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    refuse("a: 1\n---\nü: 1\nü: 2\n", 4, 1, "`ü` is given twice");
    refuse("a: [1\nb: 2", 2, 2, "");
    refuse("a: é \u{1}\n", 1, 4, "unexpected character");
    refuse("a: .inf\n", 1, 4, "finite");
    refuse("a: !!int x\n", 1, 10, "`x` is no `!!int`");
    refuse("a: x # c\u{2028}b: 1\n", 1, 9, "line");
    refuse("a: &x:y z", 1, 4, "anchor's name");
    refuse("{?a: 1}", 1, 2, "mark");
    refuse("{!x,y \"a\": 1}", 1, 4, "tag");
    refuse("[a:]", 1, 2, "space");
    check("a: 'x\u{2028}y'\n", &json!([{"a": "x\u{2028}y"}]));
    let error = text(b"a: 1\nb: \xff\n", 100).unwrap_err();
    assert_eq!((error.at.line, error.at.column), (2, 4), "{error}");
    assert!(text(b"a: 1", 3).unwrap_err().why.contains("more than 3 bytes"));
}

/// Checks the texts at a pointer: of the pointer that is there, its key, value and alias.
fn check_place(text: &str, pointer: &str, expected: [&str; 4]) {
    let read = read(text).unwrap();
    let place = read.last().unwrap().place(pointer);
    let key = place.key.map_or("", |key| &text[key]);
    let alias = place.alias.map_or("", |alias| &text[alias]);
    assert_eq!([place.pointer, key, &text[place.value], alias], expected, "{pointer} of {text:?}");
}

#[test]
fn every_value_knows_its_place() {
    let text = "x: 0\n---\nspec: # c\n  - ü: [1, {a/b~: 2}]\n    c: |- # c\n      text\n\n# end\nd: !!str 5\n";
    check_place(text, "", ["", "", &text[9..text.len() - 1], ""]);
    check_place(text, "/spec/0/ü", ["/spec/0/ü", "ü", "[1, {a/b~: 2}]", ""]);
    check_place(text, "/spec/0/ü/1/a~1b~0", ["/spec/0/ü/1/a~1b~0", "a/b~", "2", ""]);
    check_place(text, "/spec/0/c", ["/spec/0/c", "c", "|- # c\n      text\n\n", ""]);
    check_place(text, "/d", ["/d", "d", "5", ""]);
    check_place(text, "/spec/0/none/x", ["/spec/0", "", &text[23..68], ""]);
    check_place(text, "/spec/00", ["/spec", "spec", &text[21..68], ""]);
    check_place(text, "/none", ["", "", &text[9..text.len() - 1], ""]);
    check_place("{\"a\": {\"b\": [true]}}", "/a/b/0", ["/a/b/0", "", "true", ""]);
}

#[test]
fn what_is_behind_an_alias_is_found_where_it_is_anchored() {
    let text = "a: &x {k: [7]}\nb: *x\nc:\n  <<: *x\n  l: 1\nd:\n  l: 1\n  <<: *x\n  k: 2\n";
    check_place(text, "/b", ["/b", "b", "{k: [7]}", "*x"]);
    check_place(text, "/b/k/0", ["/b/k/0", "", "7", "*x"]);
    check_place(text, "/c/k", ["/c/k", "k", "[7]", "*x"]);
    check_place(text, "/c/l", ["/c/l", "l", "1", ""]);
    check_place(text, "/d/k", ["/d/k", "k", "2", ""]);
}

#[test]
fn lists_are_taken_apart() {
    let text = "kind: List\nitems:\n- kind: A\n- kind: BList\n  items: [{kind: C}]\n";
    let read = read(text).unwrap();
    assert_eq!(read[0].objects(), [&json!({"kind": "A"}), &json!({"kind": "C"})]);
}

#[test]
fn lines_are_counted() {
    let text = "\u{feff}a: ü!\r\n\nb: |\n  c\n\nd";
    let lines = Lines::new(text);
    assert_eq!(lines.position(3), Position { line: 1, column: 1 });
    assert_eq!(lines.position(8), Position { line: 1, column: 5 });
    assert_eq!(lines.position(1000), Position { line: 6, column: 2 });
}

#[test]
fn hostile_texts_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{uses}]\n");
    }
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(100_000));
    let nested = format!("a: &a [{}]\n", "&b [".repeat(50) + &"]".repeat(50)) + "b: *a\n";
    check(
        &nested,
        &json!([{"a": read(&nested).unwrap()[0].value()["a"], "b": read(&nested).unwrap()[0].value()["a"]}]),
    );
    let mut stairs = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        stairs += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    for (text, why) in [
        (bomb, "too much"),
        (long, "too much"),
        (stairs, "levels deep"),
        ("[".repeat(1_000_000), ""),
        ("- ".repeat(100_000), ""),
        ("{\"a\":".repeat(1_000_000), ""),
        (format!("{{\"a\": {}", "[".repeat(1_000_000)), "levels"),
        ("{a: ".repeat(1_000_000), ""),
        ("? ".repeat(100_000), ""),
        ("&a ".repeat(100_000), ""),
        ("\"".repeat(1_000_001), ""),
        ("a: |\n".to_owned() + &" ".repeat(1_000_000) + "\n\tx: [", ""),
    ] {
        let error = read(&text).expect_err(&text[..20]);
        assert!(error.why.contains(why), "{:?}: {error}", &text[..20]);
    }
}

#[test]
fn values_are_counted() {
    for (nodes, is_read) in [(5, true), (4, false)] {
        let budget = || Budget { nodes, copied_bytes: 0 };
        for text in ["[1, [2, 3]]", "- 1\n---\n- 2\n- \n"] {
            let read = yaml::documents(text, &mut budget());
            assert_eq!(read.is_ok(), is_read, "{text:?} with {nodes}");
        }
        assert_eq!(json::documents("[1, [2, 3]]", 0, &mut budget()).is_ok(), is_read);
    }
}
