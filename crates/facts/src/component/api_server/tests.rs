//! What an API server's flags and files come to, with inputs that other tools judge wrongly.

use std::collections::BTreeMap;

use ringfort_model::version::Minor;

use super::{
    Anonymous, Fact, Settings, Source, admission_plugins, anonymous, authorizers, encryption,
    pod_security, static_manifests,
};
use crate::component::Component;
use crate::component::command_line::CommandLine;
use crate::component::encryption::Provider;
use crate::component::files::{FileSeen, Files};

/// An API server with these flags, and files by path, kind and text.
fn server(line: &str, files: &[(&str, &str, &str)]) -> Settings {
    let words = format!("kube-apiserver {line}");
    let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
    let mut seen = Files::default();
    for (path, kind, text) in files {
        let text = format!("apiVersion: apiserver.config.k8s.io/v1\nkind: {kind}\n{text}");
        seen.texts.insert((*path).to_owned(), FileSeen::Text(text));
    }
    Settings {
        component: Component::ApiServer,
        minor: Fact::seen(Minor::V1_37, Source::Configz).into(),
        command_line: CommandLine::of_process(Component::ApiServer, &words),
        environment: Fact::seen(BTreeMap::new(), Source::CommandLine),
        files: seen,
    }
}

fn value<T: Clone>(fact: &Fact<T>) -> Option<T> {
    fact.known().ok().map(|seen| seen.value.clone())
}

#[test]
fn requests_without_a_name() {
    let check = |line: &str, text: Option<&str>, expected: Option<Anonymous>| {
        let file = text.map(|text| ("/a", "AuthenticationConfiguration", text));
        let found = value(&anonymous(&server(line, file.as_slice())));
        assert_eq!(found, expected, "{line} {text:?}");
    };
    let everywhere = Some(Anonymous::Everywhere);
    check("--authorization-mode=RBAC", None, everywhere.clone());
    check("--authorization-mode=RBAC --anonymous-auth=1", None, everywhere.clone());
    check("--authorization-mode=RBAC --anonymous-auth=T", None, everywhere.clone());
    let twice = "--authorization-mode=RBAC --anonymous-auth=false --anonymous-auth=true";
    check(twice, None, everywhere.clone());
    check("--anonymous-auth=false", None, Some(Anonymous::Off));
    check("--anonymous-auth=no", None, None);
    // With AlwaysAllow, requests without a name are refused.
    check("", None, Some(Anonymous::Off));
    check("--anonymous-auth=true", None, Some(Anonymous::Off));
    check("--authentication-config=/a", Some("jwt: []"), Some(Anonymous::Off));

    let line = "--authorization-mode=RBAC --authentication-config=/a";
    check(line, None, None);
    check(line, Some("anonymous: {enabled: false}"), Some(Anonymous::Off));
    check(line, Some("anonymous: {}"), Some(Anonymous::Off));
    check(line, Some("anonymous: {enabled: true}"), everywhere.clone());
    check(
        line,
        Some("anonymous: {enabled: true, conditions: [{path: /livez}]}"),
        Some(Anonymous::Only(vec!["/livez".to_owned()])),
    );
    check(line, Some("anonymous: {enabled: false, conditions: [{path: /livez}]}"), None);
    check(line, Some("anonymous: {Enabled: false}"), None);
    check(line, Some("Anonymous: {enabled: false}"), None);
    // Without that section, the flag holds.
    check(line, Some("jwt: []"), everywhere);
    let with_flag = format!("{line} --anonymous-auth=false");
    check(&with_flag, Some("jwt: []"), Some(Anonymous::Off));
    check(&with_flag, Some("anonymous: {enabled: true}"), None);
}

#[test]
fn a_pods_command_and_arguments_count_alike() {
    let check = |command: &[&str], args: &[&str], expected: Option<Anonymous>| {
        let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mut some = server("", &[]);
        some.command_line = CommandLine::of_pod(Component::ApiServer, &own(command), &own(args));
        assert_eq!(value(&anonymous(&some)), expected, "{command:?} {args:?}");
    };
    let rbac = "--authorization-mode=RBAC";
    check(&["kube-apiserver"], &[rbac, "--anonymous-auth=true"], Some(Anonymous::Everywhere));
    check(&["kube-apiserver"], &[rbac, "--anonymous-auth=false"], Some(Anonymous::Off));
    let program = "/usr/local/bin/kube-apiserver";
    check(&[program, rbac, "--anonymous-auth=true"], &[], Some(Anonymous::Everywhere));
    check(&[], &[rbac, "--anonymous-auth=false"], None);
}

#[test]
fn who_decides() {
    let check = |line: &str, text: Option<&str>, expected: &str| {
        let file = text.map(|text| ("/z", "AuthorizationConfiguration", text));
        let found = value(&authorizers(&server(line, file.as_slice())));
        let found = found.map_or("gap".to_owned(), |found| format!("{found:?}"));
        assert_eq!(found, expected, "{line} {text:?}");
    };
    check("", None, "[AlwaysAllow]");
    check("--authorization-mode=", None, "[AlwaysAllow]");
    check("--authorization-mode=Node,RBAC", None, "[Node, Rbac]");
    check("--authorization-mode=Node --authorization_mode=RBAC", None, "[Node, Rbac]");
    check("--authorization-mode=Rbac", None, "gap");
    let line = "--authorization-config=/z";
    check(line, None, "gap");
    let good = "authorizers: [{type: Node, name: node}, {type: RBAC, name: rbac}]";
    check(line, Some(good), "[Node, Rbac]");
    check(&format!("{line} --authorization-mode=RBAC"), Some(good), "gap");
    let webhook = "authorizers: [{type: Webhook, name: w, webhook: {}}, {type: RBAC, name: rbac}]";
    check(line, Some(webhook), "[Webhook { name: \"w\" }, Rbac]");
    check(line, Some("authorizers: []"), "gap");
    check(line, Some("authorizers: [{type: Newer, name: newer}]"), "gap");
}

#[test]
fn plugins_are_those_by_default_and_those_asked_for() {
    let check = |line: &str, name: &str, expected: Option<bool>| {
        let found = value(&admission_plugins(&server(line, &[])));
        assert_eq!(found.map(|found| found.contains(name)), expected, "{line} {name}");
    };
    check("", "NamespaceLifecycle", Some(true));
    check("", "NodeRestriction", Some(false));
    check("--enable-admission-plugins=NodeRestriction", "ServiceAccount", Some(true));
    check("--disable-admission-plugins=ServiceAccount", "ServiceAccount", Some(false));
    let twice =
        "--enable-admission-plugins=NodeRestriction --enable-admission-plugins=AlwaysPullImages";
    check(twice, "NodeRestriction", Some(true));
    check("--admission-control=AlwaysAdmit", "ServiceAccount", Some(false));
    let both = "--enable-admission-plugins=PodSecurity --disable-admission-plugins=PodSecurity";
    check(both, "PodSecurity", None);
}

#[test]
fn pod_security_needs_its_plugin_and_its_file() {
    let text = "plugins: [{name: PodSecurity, configuration: {kind: PodSecurityConfiguration, \
                defaults: {enforce: restricted}, exemptions: {namespaces: [a]}}}]";
    let check = |line: &str, file: bool, expected: Option<&str>| {
        let file = file.then_some(("/p", "AdmissionConfiguration", text));
        let found = value(&pod_security(&server(line, file.as_slice())));
        let found = found
            .map(|found| format!("{:?} {:?}", found.enforce.level, found.exemptions.namespaces));
        assert_eq!(found.as_deref(), expected, "{line}");
    };
    let named = "--admission-control-config-file=/p";
    check("", true, Some("Privileged {}"));
    check(named, true, Some("Restricted {\"a\"}"));
    check(named, false, None);
    check(&format!("{named} --disable-admission-plugins=PodSecurity"), true, Some("Privileged {}"));
}

#[test]
fn secrets_are_written_by_the_first_provider() {
    let check = |line: &str, text: &str, expected: Option<Provider>| {
        let file = [("/e", "EncryptionConfiguration", text)];
        let found = value(&encryption(&server(line, &file)));
        let found = found.map(|found| found.writes("", "secrets").clone());
        assert_eq!(found, expected, "{line} {text}");
    };
    let line = "--encryption-provider-config=/e";
    let keys = "{keys: [{name: a, secret: c2VjcmV0}]}";
    let rule = |providers: &str| {
        format!("resources: [{{resources: [secrets], providers: [{providers}]}}]")
    };
    check("", &rule("identity: {}"), Some(Provider::Identity));
    check(
        line,
        &rule(&format!("{{identity: {{}}}}, {{aescbc: {keys}}}")),
        Some(Provider::Identity),
    );
    check(line, &rule(&format!("{{aescbc: {keys}}}, {{identity: {{}}}}")), Some(Provider::AesCbc));
    let kms = "{kms: {apiVersion: v2, name: k, endpoint: 'unix:///k'}}";
    let of_kms = Provider::Kms { name: "k".to_owned(), version: "v2".to_owned() };
    check(line, &rule(kms), Some(of_kms));
}

#[test]
fn where_policies_that_are_files_are() {
    let check = |text: &str, expected: Option<Option<&str>>| {
        let own = "staticManifestsDir: /own\n";
        let files = [
            ("/a/admission.yaml", "AdmissionConfiguration", text),
            ("/a/own.yaml", "ValidatingAdmissionPolicyConfiguration", own),
        ];
        let server = server("--admission-control-config-file=/a/admission.yaml", &files);
        let read = value(&static_manifests(&server, "ValidatingAdmissionPolicy"));
        assert_eq!(read, expected.map(|it| it.map(str::to_owned)), "{text}");
    };
    let plugin = |more: &str| format!("plugins: [{{name: ValidatingAdmissionPolicy, {more}}}]");
    check("", Some(None));
    check("plugins: [{name: Other, configuration: {staticManifestsDir: /a}}]", Some(None));
    check(&plugin("configuration: {staticManifestsDir: /a}"), Some(Some("/a")));
    check(&plugin("configuration: {staticManifestsDir: [1]}"), None);
    check(&plugin("path: own.yaml"), Some(Some("/own")));
    check(&plugin("path: gone.yaml"), None);
    check("plugins: {}", None);
    assert_eq!(value(&static_manifests(&server("", &[]), "ValidatingAdmissionPolicy")), Some(None));
}
