//! What was seen less never makes a setting look better: a law over all settings and observations.

use std::collections::BTreeMap;

use ringfort_model::version::Minor;

use super::Component;
use super::api_server;
use super::command_line::CommandLine;
use super::files::{FileSeen, Files};
use super::kubelet::Kubelet;
use super::settings::Settings;
use crate::fact::{Fact, Source};

/// Answers by question; `None` is a gap.
type Answers = BTreeMap<&'static str, Option<String>>;

/// What was seen of a machine: the argument lists, files, environment and answer may each be missing.
#[derive(Clone, Debug)]
struct Scene {
    component: Component,
    line: Option<String>,
    environment: Option<BTreeMap<String, String>>,
    minor: Option<Minor>,
    files: Files,
    configz: Option<serde_json::Value>,
}

impl Scene {
    /// Gives all scenes with one piece less.
    fn with_one_less(&self) -> Vec<Self> {
        let mut less = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut scene = self.clone();
            change(&mut scene);
            less.push(scene);
        };
        add(&|scene| scene.line = None);
        add(&|scene| scene.environment = None);
        add(&|scene| scene.minor = None);
        for path in self.files.texts.keys() {
            add(&|scene| drop(scene.files.texts.remove(path)));
            add(&|scene| {
                scene.files.texts.insert(path.clone(), FileSeen::Absent);
            });
        }
        for path in self.files.directories.keys() {
            add(&|scene| drop(scene.files.directories.remove(path)));
        }
        less
    }

    fn settings(&self) -> Settings {
        let gap = || Fact::gap("it was not seen", "to see it");
        Settings {
            component: self.component,
            minor: self
                .minor
                .map_or(Fact::gap("it was not seen", "to see it"), |minor| {
                    Fact::seen(minor, Source::Configz)
                })
                .into(),
            command_line: self.line.as_ref().map_or(gap(), |line| {
                let words = format!("{} {line}", self.component);
                let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
                CommandLine::of_process(self.component, &words)
            }),
            environment: self
                .environment
                .clone()
                .map_or(Fact::gap("it was not seen", "to see it"), |environment| {
                    Fact::seen(environment, Source::CommandLine)
                }),
            files: self.files.clone(),
        }
    }

    fn answers(&self) -> Answers {
        let settings = self.settings();
        let mut answers = Answers::new();
        for name in FLAGS {
            answers.insert(name, shown(&settings.value(name)));
        }
        if self.component == Component::ApiServer {
            answers.insert("anonymous", shown(&api_server::anonymous(&settings)));
            answers.insert("authorizers", shown(&api_server::authorizers(&settings)));
            answers.insert("plugins", shown(&api_server::admission_plugins(&settings)));
            answers.insert("pod security", shown(&api_server::pod_security(&settings)));
            answers.insert("encryption", shown(&api_server::encryption(&settings)));
        }
        if self.component == Component::Kubelet {
            let kubelet = Kubelet { settings, configz: self.configz.clone() };
            for path in FIELDS {
                answers.insert(path, shown(&kubelet.value(path)));
            }
        }
        answers
    }
}

fn shown<T: std::fmt::Debug>(fact: &Fact<T>) -> Option<String> {
    fact.known().ok().map(|seen| format!("{:?}", seen.value))
}

/// Every combination of flags and files, and from each every piece taken away: an answer stays what it
/// was or becomes a gap.
fn check(component: Component, words: &[&str], files: &[(&str, &str)], listed: Option<&[&str]>) {
    for chosen in 0..1_u32 << words.len() {
        let has = |index: &usize| chosen >> index & 1 == 1;
        let line: Vec<_> = (0..words.len()).filter(has).map(|index| words[index]).collect();
        let texts = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), FileSeen::Text((*text).to_owned())));
        let names = listed.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let scene = Scene {
            component,
            line: Some(line.join(" ")),
            environment: Some(BTreeMap::from([
                ("ETCD_CLIENT_CERT_AUTH".to_owned(), "true".to_owned()),
                ("ETCD_AUTO_TLS".to_owned(), "1".to_owned()),
            ])),
            minor: Some(Minor::V1_37),
            files: Files {
                texts: texts.collect(),
                directories: names.map(|names| ("/d".to_owned(), names)).into_iter().collect(),
            },
            configz: None,
        };
        let before = scene.answers();
        for less in scene.with_one_less() {
            for (question, answer) in less.answers() {
                let holds = answer.is_none() || answer == before[question];
                assert!(holds, "{question}: {:?} became {answer:?} in {less:?}", before[question]);
            }
        }
    }
}

#[test]
fn what_is_seen_less_of_an_api_server_is_known_less() {
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: ";
    let authentication =
        format!("{head}AuthenticationConfiguration\nanonymous: {{enabled: false}}\n");
    let authorization =
        format!("{head}AuthorizationConfiguration\nauthorizers: [{{type: RBAC, name: rbac}}]\n");
    let encryption = format!(
        "{head}EncryptionConfiguration\nresources: [{{resources: ['*.*'], providers: [{{secretbox: {{}}}}]}}]\n"
    );
    let admission =
        format!("{head}AdmissionConfiguration\nplugins: [{{name: PodSecurity, path: p}}]\n");
    let own = "kind: PodSecurityConfiguration\ndefaults: {enforce: restricted}\n";
    check(
        Component::ApiServer,
        &[
            "--anonymous-auth=false",
            "--anonymous-auth",
            "--authentication-config=/a",
            "--authorization-config=/z",
            "--authorization-mode=RBAC",
            "--encryption-provider-config /e",
            "--admission-control-config-file=/p/a",
            "--unknown",
            "--profiling=false",
        ],
        &[
            ("/a", &authentication),
            ("/z", &authorization),
            ("/e", &encryption),
            ("/p/a", &admission),
            ("/p/p", own),
        ],
        None,
    );
}

#[test]
fn what_is_seen_less_of_a_kubelet_is_known_less() {
    let head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
    let open = format!("{head}readOnlyPort: 10255\nauthorization: {{mode: AlwaysAllow}}\n");
    let first = format!("{head}readOnlyPort: 0\nseccompDefault: true\n");
    let second = format!("{head}readOnlyPort: 1\nauthentication: null\n");
    check(
        Component::Kubelet,
        &[
            "--config=/c",
            "--config-dir=/d",
            "--read-only-port=0",
            "--authorization-mode=Webhook",
            "--seccomp-default",
            "--anonymous-auth=false",
            "--feature-gates=A=true",
        ],
        &[("/c", &open), ("/d/1.conf", &first), ("/d/2.conf", &second)],
        Some(&["1.conf", "2.conf", "3.txt"]),
    );
}

#[test]
fn what_is_seen_less_of_etcd_is_known_less() {
    let words =
        ["--client-cert-auth=false", "--auto-tls=false", "--config-file=/c", "--cert-file /s"];
    let text = "client-transport-security: {client-cert-auth: true}\n";
    check(Component::Etcd, &words, &[("/c", text)], None);
}

#[test]
fn what_is_seen_less_of_a_scheduler_or_proxy_is_known_less() {
    let scheduler =
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
    let words = ["--profiling=false", "--config=/c", "--bind-address=127.0.0.1"];
    check(Component::Scheduler, &words, &[("/c", scheduler)], None);
    let proxy = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmetricsBindAddress: 0.0.0.0\n";
    let words = ["--metrics-bind-address=127.0.0.1:1", "--config=/c", "--profiling"];
    check(Component::Proxy, &words, &[("/c", proxy)], None);
}

const FLAGS: &[&str] = &[
    "anonymous-auth",
    "audit-log-maxage",
    "authorization-mode",
    "auto-tls",
    "bind-address",
    "cert-file",
    "client-cert-auth",
    "metrics-bind-address",
    "profiling",
    "read-only-port",
    "tls-cipher-suites",
];

const FIELDS: &[&str] = &[
    "authentication.anonymous.enabled",
    "authorization.mode",
    "featureGates",
    "readOnlyPort",
    "seccompDefault",
    "streamingConnectionIdleTimeout",
];
