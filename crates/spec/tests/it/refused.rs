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
fn one_family_is_for_the_whole_cluster() {
    let v6 = |more: &str| format!("{}{more}", SHORT.replace("10.0.0.", "fd00:10:77::"));
    check(&v6(""), &[]);
    check(&SHORT.replace("10.0.0.23", "\"fd00::23\""), &["two-families"]);
    // It is one error, however many fields differ, and no size is judged by the other family's measure.
    let ranges = "network: { pods: 10.244.0.0/16, services: 10.96.0.0/16 }\n";
    let text = v6(&format!("{ranges}endpoint: 10.0.0.5:6443\ndns: {{ upstream: [10.0.0.53] }}\n"));
    check(&text, &["two-families"]);
    let report = ringfort_spec::read(&text, "cluster.yaml", CONTROLS, TODAY).unwrap_err();
    let said = report.to_string();
    for part in
        ["`network.pods` (10.244.0.0/16)", "`endpoint`", "IPv4", "`controlPlanes.0`", "one family"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    check(&with("network: { pods: \"fd00::/48\" }\n"), &["two-families"]);
    check(
        &with("audit: { tell: { syslog: { address: '[fd00::51]:514', transport: udp } } }\n"),
        &["two-families"],
    );
}

#[test]
fn sizes_are_those_of_the_family() {
    let v6 = |network: &str| {
        format!("{}network: {{ {network} }}\n", SHORT.replace("10.0.0.", "fd00:10:77::"))
    };
    check(&v6("services: \"fd01::/64\""), &["service-range-size"]);
    check(&v6("services: \"fd01::/126\""), &["service-range-size"]);
    check(&v6("nodePrefix: 24"), &["node-prefix"]);
    check(&v6("pods: \"fd01::/64\""), &["too-few-pod-ranges"]);
    check(&v6("pods: \"fd00:10:77::/64\", nodePrefix: 80"), &["overlap"]);
    check(&with("network: { nodePrefix: 64 }\n"), &["node-prefix"]);
}

#[test]
fn an_address_of_ipv6_that_means_no_one_machine_is_refused() {
    for bad in ["::", "::1", "fe80::11", "ff02::1", "fd00:10:77::"] {
        let text = SHORT.replace("10.0.0.", "fd00:10:77::");
        check(&text.replace("fd00:10:77::11", &format!("\"{bad}\"")), &["unusable-address"]);
    }
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
