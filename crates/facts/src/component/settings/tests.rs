//! What flags, variables, files and defaults come to.

use std::collections::BTreeMap;

use ringfort_model::version::Minor;

use super::{CommandLine, Component, Fact, Files, Settings, Source, Value};
use crate::component::files::FileSeen;

fn settings(component: Component, line: &str) -> Settings {
    let words: Vec<_> = [component.program()].into_iter().chain(line.split_whitespace()).collect();
    let words: Vec<_> = words.into_iter().map(str::to_owned).collect();
    Settings {
        component,
        minor: Fact::seen(Minor::V1_37, Source::Configz).into(),
        command_line: CommandLine::of_process(component, &words),
        environment: Fact::seen(BTreeMap::new(), Source::CommandLine),
        files: Files::default(),
    }
}

fn shown(fact: Fact<Value>) -> String {
    match fact {
        Fact::Known(seen) => format!("{:?} by {}", seen.value, seen.source),
        Fact::Missing(_) => "gap".to_owned(),
    }
}

#[test]
fn flags_are_given_or_by_default_or_gaps() {
    let check = |component: Component, line: &str, name: &str, expected: &str| {
        let found = shown(settings(component, line).value(name));
        assert_eq!(found, expected, "{component} {line} {name}");
    };
    let api = Component::ApiServer;
    let of_api = "by the default of kube-apiserver";
    check(api, "", "anonymous-auth", &format!("Boolean(true) {of_api}"));
    check(api, "--anonymous-auth=T", "anonymous-auth", "Boolean(true) by --anonymous-auth");
    check(api, "--anonymous-auth=off", "anonymous-auth", "gap");
    check(api, "", "audit-log-maxage", &format!("Number(366) {of_api}"));
    check(api, "", "cors-allowed-origins", "gap");
    check(api, "--insecure-port=0", "insecure-port", "gap");
    check(api, "", "authorization-mode", &format!("List([\"AlwaysAllow\"]) {of_api}"));
    check(
        api,
        "--authorization-mode=",
        "authorization-mode",
        &format!("List([\"AlwaysAllow\"]) {of_api}"),
    );
    check(
        api,
        "--authorization-mode=Node --authorization-mode=RBAC",
        "authorization-mode",
        "List([\"Node\", \"RBAC\"]) by --authorization-mode",
    );
    check(api, "--authorization-config=/z", "authorization-mode", "gap");
    check(api, "--authentication-config=/a", "anonymous-auth", "gap");
    // What was covered when facts were taken is no value.
    check(api, "--authorization-mode=…", "authorization-mode", "gap");
    check(api, "--profiling=…", "profiling", "gap");
    // Its default is that of a field, not of a flag.
    check(Component::Kubelet, "", "read-only-port", "gap");
}

#[test]
fn a_default_that_differs_needs_the_minor() {
    let mut unknown = settings(Component::ApiServer, "");
    unknown.minor = Fact::gap("the version was not seen", "the version").into();
    assert_eq!(shown(unknown.value("audit-log-maxage")), "gap");
    assert_ne!(shown(unknown.value("profiling")), "gap");
}

#[test]
fn etcd_takes_its_environment_where_no_flag_is_given() {
    let check = |line: &str, environment: Option<&str>, name: &str, expected: &str| {
        let mut etcd = settings(Component::Etcd, line);
        etcd.environment = match environment {
            None => Fact::gap("the environment was not seen", "it"),
            Some(text) => {
                let set = text.split_whitespace().filter_map(|word| word.split_once('='));
                let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
                Fact::seen(set.collect(), Source::CommandLine)
            }
        };
        assert_eq!(shown(etcd.value(name)), expected, "{line} {environment:?}");
    };
    let name = "client-cert-auth";
    check(
        "",
        Some("ETCD_CLIENT_CERT_AUTH=1"),
        name,
        "Boolean(true) by the variable ETCD_CLIENT_CERT_AUTH",
    );
    check("", Some("ETCD_CLIENT_CERT_AUTH="), name, "Boolean(false) by the default of etcd");
    check("", Some("ETCD_CLIENT_CERT_AUTH=yes"), name, "gap");
    check("", None, name, "gap");
    // Whether a file takes the place of all flags is not known without the environment either.
    check("--client-cert-auth", None, name, "gap");
    check("--client-cert-auth", Some(""), name, "Boolean(true) by --client-cert-auth");
    check("--client-cert-auth", Some("ETCD_CONFIG_FILE=/c"), name, "gap");
}

#[test]
fn a_configuration_file_takes_the_place_of_flags() {
    let check = |component: Component, line: &str, text: &str, name: &str, expected: &str| {
        let mut some = settings(component, line);
        assert_eq!(shown(some.value(name)), "gap", "{line} without the file");
        some.files.texts.insert("/c".to_owned(), FileSeen::Text(text.to_owned()));
        assert_eq!(shown(some.value(name)), expected, "{line} {text}");
    };
    let etcd = Component::Etcd;
    let tls = "client-transport-security: {client-cert-auth: true}";
    check(etcd, "--config-file=/c", tls, "client-cert-auth", "Boolean(true) by /c");
    check(
        etcd,
        "--config-file=/c --client-cert-auth",
        "name: a",
        "client-cert-auth",
        "Boolean(false) by the default of etcd",
    );
    check(etcd, "--config-file=/c", "name: a", "experimental-x", "gap");
    let scheduler =
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
    check(
        Component::Scheduler,
        "--config=/c --profiling=false",
        scheduler,
        "profiling",
        "Boolean(true) by the default of kube-scheduler",
    );
    let off = format!("{scheduler}enableProfiling: false\n");
    check(Component::Scheduler, "--config=/c", &off, "profiling", "Boolean(false) by /c");
    let proxy = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
    let name = "metrics-bind-address";
    let local = "Text(\"127.0.0.1:10249\") by the default of kube-proxy";
    check(Component::Proxy, "--config=/c", proxy, name, local);
    let empty = format!("{proxy}bindAddress: 0.0.0.0\nmetricsBindAddress: ''\n");
    check(Component::Proxy, "--config=/c", &empty, name, local);
    check(Component::Proxy, "--config=/c", &format!("{proxy}bindAddress: '::'\n"), name, "gap");
    let open = format!("{proxy}metricsBindAddress: 0.0.0.0:10249\n");
    check(
        Component::Proxy,
        "--config=/c --metrics-bind-address=127.0.0.1",
        &open,
        "metrics-bind-address",
        "Text(\"0.0.0.0:10249\") by /c",
    );
}
