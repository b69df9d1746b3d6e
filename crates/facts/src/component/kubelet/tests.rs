//! What a kubelet's flags, drop-ins, file and answer come to.

use std::collections::BTreeMap;

use serde_json::json;

use ringfort_model::version::Minor;

use super::{FIELDS, Fact, Kubelet, Settings, Source, Value, by_default};
use crate::component::Component;
use crate::component::command_line::CommandLine;
use crate::component::files::{FileSeen, Files};
use crate::component::flag;

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

/// A kubelet with these flags, and files named by their paths; `/d` is listed where one is below it.
fn kubelet(line: &str, files: &[(&str, &str)]) -> Kubelet {
    let words = format!("kubelet {line}");
    let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
    let mut seen = Files::default();
    for (path, text) in files {
        seen.texts.insert((*path).to_owned(), FileSeen::Text(format!("{HEAD}{text}")));
        if let Some(name) = path.strip_prefix("/d/") {
            seen.directories.entry("/d".to_owned()).or_default().push(name.to_owned());
        }
    }
    let settings = Settings {
        component: Component::Kubelet,
        minor: Fact::seen(Minor::V1_37, Source::Configz).into(),
        command_line: CommandLine::of_process(Component::Kubelet, &words),
        environment: Fact::seen(BTreeMap::new(), Source::CommandLine),
        files: seen,
    };
    Kubelet { settings, configz: None }
}

fn shown(fact: Fact<Value>) -> String {
    match fact {
        Fact::Known(seen) => format!("{:?} by {}", seen.value, seen.source),
        Fact::Missing(_) => "gap".to_owned(),
    }
}

fn check(line: &str, files: &[(&str, &str)], path: &str, expected: &str) {
    assert_eq!(shown(kubelet(line, files).value(path)), expected, "{line} {files:?} {path}");
}

#[test]
fn every_field_has_a_default_and_its_flag_is_one() {
    for field in FIELDS {
        assert!(by_default(field, field.default).is_ok(), "{}", field.path);
        if let Some(name) = field.flag {
            assert_eq!(flag::kind(Component::Kubelet, name), Some(field.kind), "{name}");
        }
    }
}

#[test]
fn without_files_the_old_defaults_hold() {
    check("", &[], "authentication.anonymous.enabled", "Boolean(true) by the default of kubelet");
    check("", &[], "authorization.mode", "Text(\"AlwaysAllow\") by the default of kubelet");
    check("", &[], "readOnlyPort", "Number(10255) by the default of kubelet");
    check("--read-only-port=0", &[], "readOnlyPort", "Number(0) by --read-only-port");
}

#[test]
fn a_file_brings_its_own_defaults() {
    let file = [("/c", "")];
    let line = "--config=/c";
    check(
        line,
        &file,
        "authentication.anonymous.enabled",
        "Boolean(false) by the default of kubelet",
    );
    check(line, &file, "authorization.mode", "Text(\"Webhook\") by the default of kubelet");
    check(line, &file, "readOnlyPort", "Number(0) by the default of kubelet");
    check(line, &[("/c", "readOnlyPort: 10255")], "readOnlyPort", "Number(10255) by /c");
    check(line, &[("/c", "readOnlyPort: '0'")], "readOnlyPort", "gap");
    // A field in another case is none in its own file; what is merged with drop-ins is read in any case.
    let misspelt = ("/c", "ReadOnlyPort: 10255");
    check(line, &[misspelt], "readOnlyPort", "Number(0) by the default of kubelet");
    let with = "--config=/c --config-dir=/d";
    let other = ("/d/1.conf", "port: 1");
    check(with, &[misspelt, other], "readOnlyPort", "Number(0) by the default of kubelet");
    let over = ("/d/1.conf", "ReadOnlyPort: 10255");
    check(with, &[("/c", ""), over], "readOnlyPort", "gap");
    check(
        line,
        &[("/c", "authentication: {anonymous: {enabled: yes}}")],
        "authentication.anonymous.enabled",
        "Boolean(true) by /c",
    );
    check(
        "--config=/c --read-only-port=10255",
        &file,
        "readOnlyPort",
        "Number(10255) by --read-only-port",
    );
}

#[test]
fn nothing_is_known_of_a_file_that_was_not_observed() {
    check("--config=/c", &[], "authentication.anonymous.enabled", "gap");
    check(
        "--config=/c --anonymous-auth=false",
        &[],
        "authentication.anonymous.enabled",
        "Boolean(false) by --anonymous-auth",
    );
    check("--config=/c --anonymous-auth=false", &[], "readOnlyPort", "gap");
    // The directory was not listed.
    check("--config=/c --config-dir=/d", &[("/c", "")], "readOnlyPort", "gap");
    // One of its files was not read.
    let mut some = kubelet("--config=/c --config-dir=/d", &[("/c", ""), ("/d/1.conf", "")]);
    some.settings.files.texts.insert("/d/1.conf".to_owned(), FileSeen::Unreadable("no".to_owned()));
    assert_eq!(shown(some.value("readOnlyPort")), "gap");
}

#[test]
fn drop_ins_are_laid_over_in_the_order_of_their_names() {
    let line = "--config=/c --config-dir=/d";
    let ten = ("/d/10.conf", "readOnlyPort: 10255");
    check(line, &[("/c", ""), ten], "readOnlyPort", "Number(10255) by /d/10.conf");
    check(
        line,
        &[("/c", ""), ("/d/20.conf", "readOnlyPort: 0"), ten],
        "readOnlyPort",
        "Number(0) by /d/20.conf",
    );
    check(
        line,
        &[("/c", ""), ten, ("/d/9.conf", "readOnlyPort: 0")],
        "readOnlyPort",
        "Number(0) by /d/9.conf",
    );
    check(
        line,
        &[("/c", ""), ("/d/10.yaml", "readOnlyPort: 1")],
        "readOnlyPort",
        "Number(0) by the default of kubelet",
    );
    // Files of subdirectories as well, each directory in its turn.
    check(
        line,
        &[("/c", ""), ("/d/a/z.conf", "readOnlyPort: 1"), ("/d/a.conf", "readOnlyPort: 2")],
        "readOnlyPort",
        "Number(2) by /d/a.conf",
    );
    // What another drop-in replaces is never read as a number.
    let word = ("/d/1.conf", "readOnlyPort: none");
    check(line, &[("/c", ""), word, ten], "readOnlyPort", "Number(10255) by /d/10.conf");
    check(line, &[("/c", ""), word], "readOnlyPort", "gap");
    // Spelled otherwise it may count or not.
    let other = ("/d/1.conf", "readonlyport: 1");
    check(line, &[("/c", ""), other, ten], "readOnlyPort", "gap");
    // Null takes a setting back to the default.
    check(
        line,
        &[("/c", "readOnlyPort: 1"), ("/d/1.conf", "readOnlyPort: null")],
        "readOnlyPort",
        "Number(0) by the default of kubelet",
    );
    check(
        "--config-dir=/d",
        &[("/d/1.conf", "authorization: null")],
        "authorization.mode",
        "Text(\"Webhook\") by the default of kubelet",
    );
    // Without a file they are laid over the old defaults.
    check(
        "--config-dir=/d",
        &[("/d/1.conf", "port: 1")],
        "authorization.mode",
        "Text(\"AlwaysAllow\") by the default of kubelet",
    );
    check(
        "--config-dir=/d --read-only-port=0",
        &[ten],
        "readOnlyPort",
        "Number(0) by --read-only-port",
    );
}

#[test]
fn what_counts_as_not_set_is_the_default() {
    let four_hours = "Nanoseconds(14400000000000) by the default of kubelet";
    let idle = "streamingConnectionIdleTimeout";
    check("--config=/c", &[("/c", "streamingConnectionIdleTimeout: 0s")], idle, four_hours);
    let line = "--config=/c --streaming-connection-idle-timeout=0";
    check(line, &[("/c", "")], idle, "Nanoseconds(0) by --streaming-connection-idle-timeout");
    check("--config=/c", &[("/c", "eventRecordQPS: 0")], "eventRecordQPS", "Number(0) by /c");
    check(
        "--config=/c",
        &[("/c", "podPidsLimit: -7")],
        "podPidsLimit",
        "Number(-1) by the default of kubelet",
    );
    check(
        "--config=/c",
        &[("/c", "authorization: {mode: ''}")],
        "authorization.mode",
        "Text(\"Webhook\") by the default of kubelet",
    );
}

#[test]
fn gates_are_merged_and_either_way_switches_seccomp_on() {
    check(
        "--config=/c --feature-gates=A=false,B=true",
        &[("/c", "featureGates: {A: true, C: true}")],
        "featureGates",
        "Gates({\"A\": false, \"B\": true, \"C\": true}) by --feature-gates",
    );
    let off = "--config=/c --seccomp-default=false";
    check(off, &[("/c", "seccompDefault: true")], "seccompDefault", "Boolean(true) by /c");
    check(
        "--config=/c --seccomp-default",
        &[("/c", "")],
        "seccompDefault",
        "Boolean(true) by --seccomp-default",
    );
}

#[test]
fn the_kubelets_own_word_is_the_strongest() {
    let check = |configz: serde_json::Value, path: &str, expected: &str| {
        let mut some = kubelet("--config=/c --read-only-port=10255", &[]);
        some.configz = Some(configz.clone());
        assert_eq!(shown(some.value(path)), expected, "{configz} {path}");
    };
    let answer = json!({"kubeletconfig": {"authentication": {"anonymous": {"enabled": true}}}});
    check(answer.clone(), "authentication.anonymous.enabled", "Boolean(true) by /configz");
    // Left out since it is empty.
    check(answer.clone(), "readOnlyPort", "Number(0) by /configz");
    // Never left out: the answer is not whole.
    check(answer, "eventRecordQPS", "gap");
    check(json!({}), "readOnlyPort", "gap");
    check(json!({"kubeletconfig": []}), "readOnlyPort", "gap");
    check(json!({"kubeletconfig": null}), "readOnlyPort", "gap");
}

#[test]
fn the_answer_does_not_tell_of_the_flag_for_seccomp() {
    let check = |line: Option<&str>, on: bool, expected: &str| {
        let mut some = kubelet(line.unwrap_or_default(), &[]);
        if line.is_none() {
            some.settings.command_line = Fact::gap("it was not seen", "to see it");
        }
        some.configz = Some(json!({"kubeletconfig": {"seccompDefault": on}}));
        assert_eq!(shown(some.value("seccompDefault")), expected, "{line:?} {on}");
    };
    check(None, true, "Boolean(true) by /configz");
    check(None, false, "gap");
    check(Some(""), false, "Boolean(false) by /configz");
    check(Some("--seccomp-default"), false, "Boolean(true) by --seccomp-default");
    check(Some("--seccomp-default=on"), false, "gap");
}
