//! What is found, missed, and named right or wrong.

use serde_json::json;

use super::super::attacks::USUAL;
use super::*;

/// An attack with two paths, of which one has a name that nobody knows beforehand.
static ATTACK: Attack = Attack {
    id: "it",
    about: "does it",
    technique: Some("T1053.003"),
    does: "cp a b",
    tells: &[("/etc/a", &["cp"]), ("/etc/b/sed*", &["sed", "/tmp/kubelet"])],
    shells: &["dash"],
    unknown: &["forked"],
    undoes: "rm a",
    ..USUAL
};

fn by(exe: &str) -> Value {
    json!({"process": {"pid": 1, "start": 1, "exe": exe, "parent": 1, "parents": ["/usr/bin/find"]}})
}

fn change(path: &str, who: &Value, why: &Value) -> Value {
    json!({"id": path, "at": 1, "path": path, "class": "watched", "severity": "high", "isRight": false,
        "differences": [{"of": "presence", "expected": "missing", "found": "there"}], "who": who, "why": why})
}

fn told(changes: &[Value]) -> Told {
    let text = json!({"version": 1, "machines": [{"node": "w1", "changes": changes}]});
    Told::read(&text.to_string()).unwrap()
}

fn judged(changes: &[Value]) -> Judged {
    judge(&ATTACK, None, &told(changes).machines["w1"])
}

fn open() -> Value {
    json!("unexplained")
}

fn both(first: &Value, second: &Value) -> Judged {
    judged(&[change("/etc/a", first, &open()), change("/etc/b/sedX1", second, &open())])
}

#[test]
fn an_attack_is_found_where_every_path_is_told_and_nothing_explains_it() {
    assert_eq!(both(&by("/usr/bin/cp"), &by("/usr/bin/sed")).came, Came::Found);
    let one = judged(&[change("/etc/a", &by("/usr/bin/cp"), &open())]);
    assert_eq!(one.came, Came::Missed(vec!["/etc/b/sed* was not told".to_owned()]));
    let package = json!({"explained": "package"});
    let step = json!({"explained": {"converge": {"step": 4}}});
    let explained = judged(&[
        change("/etc/a", &by("/usr/bin/cp"), &package),
        change("/etc/a", &by("/usr/bin/cp"), &step),
        change("/etc/b/sed", &by("/usr/bin/sed"), &open()),
    ]);
    let why = "/etc/a was explained by package, converge";
    assert_eq!(explained.came, Came::Missed(vec![why.to_owned()]));
    assert_eq!(explained.seen.len(), 3, "what was seen is shown");
    let nearby = judged(&[change("/etc/ab", &by("/usr/bin/cp"), &open())]);
    assert!(matches!(nearby.came, Came::Missed(missed) if missed.len() == 2));
}

#[test]
fn the_worst_name_counts() {
    let writer = |first: &Value, second: &Value| both(first, second).writer.unwrap();
    let unknown = |why: &str| json!({ "unknown": why });
    let (cp, sed) = (by("/usr/bin/cp"), by("/usr/bin/sed (deleted)"));
    assert_eq!(writer(&cp, &sed), Writer::Right);
    assert_eq!(writer(&by("/usr/bin/dash"), &sed), Writer::Shell);
    assert_eq!(writer(&cp, &by("/tmp/kubelet")), Writer::Right);
    let wrong = |exe: &str| Writer::Wrong(exe.to_owned());
    assert_eq!(writer(&cp, &by("/usr/local/bin/kubelet")), wrong("/usr/local/bin/kubelet"));
    assert_eq!(writer(&by("/usr/bin/sed"), &sed), wrong("/usr/bin/sed"), "each path has its own");
    assert_eq!(writer(&unknown("it forked"), &sed), Writer::Declared("it forked".to_owned()));
    assert_eq!(writer(&unknown("odd"), &sed), Writer::Unknown("odd".to_owned()));
    assert_eq!(writer(&unknown("odd"), &by("/x/vi")), wrong("/x/vi"));
    assert_eq!(judged(&[]).writer, None);
}

#[test]
fn who_began_the_writer_counts_where_it_is_said_and_known() {
    static FOUND: Attack = Attack { parent: Some("find"), ..ATTACK_BY_CP };
    static RUN: Attack = Attack { parent: Some("systemd"), ..ATTACK_BY_CP };
    const ATTACK_BY_CP: Attack = Attack { tells: &[("/etc/a", &["cp"])], ..USUAL };
    let writer = |attack: &'static Attack, who: &Value| {
        let told = told(&[change("/etc/a", who, &open())]);
        judge(attack, None, &told.machines["w1"]).writer.unwrap()
    };
    assert_eq!(writer(&FOUND, &by("/usr/bin/cp")), Writer::Right);
    assert!(matches!(writer(&RUN, &by("/usr/bin/cp")), Writer::Wrong(_)));
    assert_eq!(writer(&RUN, &json!({"process": {"exe": "/usr/bin/cp"}})), Writer::Right);
}

#[test]
fn nothing_is_complained_of_only_where_all_is_right() {
    let right = || both(&by("/usr/bin/cp"), &by("/usr/bin/sed"));
    let unknown = || both(&json!({"unknown": "odd"}), &by("/usr/bin/sed"));
    let declared = both(&json!({"unknown": "forked"}), &by("/usr/bin/sed"));
    assert_eq!(complaints(&[right(), declared]), [""; 0]);
    assert_eq!(complaints(&[judged(&[])]).len(), 1);
    assert_eq!(complaints(&[both(&by("/bin/vi"), &by("/usr/bin/sed"))]).len(), 1);
    let error = "1 no such file".to_owned();
    let told = told(&[]);
    let not_made = judge(&ATTACK, Some(&error), &told.machines["w1"]);
    assert!(complaints(&[not_made])[0].contains("could not be made: 1 no such file"));
    let mut many: Vec<Judged> = (0..99).map(|_| right()).collect();
    many.push(unknown());
    assert_eq!(complaints(&many), [""; 0], "one of a hundred may be unknown");
    many.push(unknown());
    assert!(complaints(&many)[0].contains("for more than 1 %: attacks/it (odd); attacks/it (odd)"));
}

#[test]
fn the_table_names_what_is_not_well_and_the_sums() {
    let all = [
        both(&by("/usr/bin/cp"), &by("/usr/bin/sed")),
        both(&by("/usr/bin/dash"), &by("/usr/bin/vi")),
        judged(&[]),
    ];
    let text = table(&all);
    assert!(text.contains("| attacks/it | T1053.003 | w1 | does it | yes | right |"), "{text}");
    assert!(text.contains("| yes | **wrong**: /usr/bin/vi |"), "{text}");
    assert!(text.contains("| **no** | nothing was told |"), "{text}");
    assert!(text.contains("2 of 3 attacks were found; who made them is right for 1"), "{text}");
}

#[test]
fn only_what_came_since_is_taken_and_what_is_no_attacks_is_named() {
    let first = told(&[change("/etc/old", &by("/usr/bin/cp"), &open())]);
    let package = json!({"explained": {"transaction": {"package": "a"}}});
    let all = told(&[
        change("/etc/old", &by("/usr/bin/cp"), &open()),
        change("/etc/a", &by("/usr/bin/cp"), &open()),
        change("/etc/other", &by("/usr/bin/dpkg"), &package),
    ]);
    let since = all.after(&first.known());
    assert_eq!(since.machines["w1"].len(), 2);
    assert_eq!(since.unexplained().len(), 1);
    assert!(since.unexplained()[0].starts_with("w1 /etc/a (presence: missing -> there) by "));
    assert_eq!(since.causes(), [("transaction".to_owned(), 1)].into());
    let beside = beside(&[&ATTACK], &since);
    assert_eq!(beside.len(), 1, "{beside:?}");
    assert!(beside[0].contains("/etc/other") && beside[0].contains("explained by transaction"));
}

#[test]
fn a_machine_of_which_not_all_is_known_is_named_and_a_strange_answer_is_none() {
    let text =
        json!({"version": 1, "machines": [{"node": "w1", "unseen": "it is off", "changes": []}]});
    assert_eq!(Told::read(&text.to_string()).unwrap().unseen, ["w1: it is off"]);
    assert_eq!(Told::read("{}"), None);
    assert_eq!(Told::read("not json"), None);
    let strange = json!({"machines": [{"node": "w1", "changes": [{"id": "a"}]}]});
    assert_eq!(Told::read(&strange.to_string()), None);
}
