//! What is refused. The words are kept in the corpus; here is what makes the difference.

use jiff::civil::date;
use ringfort_spec::Paint;

use crate::{CONTROLS, SHORT, TODAY, codes};

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(codes(text), expected, "{text}");
}

fn with(more: &str) -> String {
    format!("{SHORT}{more}")
}

#[test]
fn a_control_is_waived_no_further_than_it_can_be() {
    let waiver = |control: &str, scope: &str| {
        let fields = "reason: tests, owner: ann, expires: 2027-01-31";
        format!("{SHORT}waivers: [{{ control: {control}, {scope}{fields} }}]\n")
    };
    let namespaces = "scope: { namespaceLabel: legacy, user: e2e }, ";
    let nodes = "scope: { nodes: [w-10-0-0-21] }, ";
    for (control, scope, expected) in [
        ("data/encryption-at-rest", "", &["bad-waiver"][..]),
        ("data/encryption-at-rest", namespaces, &["bad-waiver"]),
        ("access/pod-security", "", &["bad-waiver"]),
        ("access/pod-security", nodes, &["bad-waiver"]),
        ("access/pod-security", namespaces, &[]),
        ("workload/seccomp", "", &[]),
        ("workload/seccomp", nodes, &["bad-waiver"]),
        ("ha/three-workers", nodes, &["bad-waiver"]),
        ("node/apparmor", nodes, &[]),
    ] {
        check(&waiver(control, scope), expected);
    }
}

#[test]
fn five_mistakes_of_five_kinds_are_five_errors() {
    let text = SHORT
        .replace("harbour", "Harbour")
        .replace("\"1.37\"", "1.20")
        .replace("10.0.0.23", "10.0.0.22");
    let expected = ["bad-value", "bad-value", "duplicate-address", "unknown-field", "needs-waiver"];
    check(&format!("{text}flavour: x\nallowPrivileged: true\n"), &expected);
}

#[test]
fn what_cannot_be_read_is_said_once() {
    // The range is unreadable: no rule may judge the default in its place.
    let network = "network: { pods: 10.0.0.7/8, services: 10.244.0.0/16 }\n";
    check(&with(network), &["bad-value"]);
    // An unreadable entry still counts as a machine.
    check(&SHORT.replace("10.0.0.13", "10.0.0"), &["bad-value"]);
    check(
        &SHORT.replace("[10.0.0.21,", "[{ adress: 10.0.0.21 },"),
        &["missing-field", "unknown-field"],
    );
}

#[test]
fn even_numbers_of_control_planes_cannot_be_waived() {
    let waiver = "waivers: [{ control: ha/three-control-planes, reason: r, owner: o, \
                  expires: 2027-01-31 }]\n";
    let text = |planes: &str| SHORT.replace("10.0.0.11, 10.0.0.12, 10.0.0.13", planes) + waiver;
    check(&text("10.0.0.11"), &[]);
    check(&text("10.0.0.11, 10.0.0.12"), &["control-plane-count"]);
    check(&text("10.0.0.11, 10.0.0.12, 10.0.0.13, 10.0.0.14"), &["control-plane-count"]);
}

#[test]
fn a_limited_waiver_does_not_loosen_the_whole_cluster() {
    let waiver = |scope: &str| {
        with(&format!(
            "allowPrivileged: true\nwaivers: [{{ control: access/no-privileged-containers, {scope}\
             reason: r, owner: o, expires: 2027-01-31 }}]\n"
        ))
    };
    check(&waiver(""), &[]);
    check(&waiver("scope: { nodes: [w-10-0-0-21] }, "), &["needs-waiver", "bad-waiver"]);
}

#[test]
fn a_waiver_that_cannot_be_taken_back_is_refused_after_its_last_day() {
    let text = SHORT.replace("[10.0.0.21, 10.0.0.22, 10.0.0.23]", "[10.0.0.21]")
        + "waivers: [{ control: ha/three-workers, reason: r, owner: o, expires: 2026-11-23 }]\n";
    let on = |today| ringfort_spec::read(&text, "cluster.yaml", CONTROLS, today).is_ok();
    assert!(on(TODAY) && on(date(2020, 1, 1)));
    assert!(!on(date(2026, 11, 24)));
}

#[test]
fn a_secret_is_never_shown() {
    let text = with("operators: [AGE-SECRET-KEY-1ABCDEF]\nadmin: AGE-SECRET-KEY-1ABCDEF\n");
    let report = ringfort_spec::read(&text, "cluster.yaml", CONTROLS, TODAY).unwrap_err();
    for paint in [Paint::Plain, Paint::Colours] {
        assert!(!report.render(paint).contains("ABCDEF"), "{report}");
    }
    assert!(!format!("{report:?}").contains("ABCDEF"));
}
