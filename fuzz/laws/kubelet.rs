//! Any words, file and drop-ins are settings of a kubelet: what is seen less is known less, and laying a drop-in over
//! them once more changes nothing. The parts are parted by zeros.

use std::collections::BTreeMap;

use ringfort_facts::component::Component;
use ringfort_facts::component::command_line::CommandLine;
use ringfort_facts::component::files::{FileSeen, Files};
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::fact::{Fact, Source};
use ringfort_model::version::KubeVersion;

/// Reads bytes as words, a file, and drop-ins.
pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let words = format!("--config=/c --config-dir=/d {}", parts.next().unwrap_or_default());
    let mut files =
        BTreeMap::from([("/c".to_owned(), parts.next().unwrap_or_default().to_owned())]);
    for (number, drop_in) in parts.take(3).enumerate() {
        files.insert(format!("/d/{number}.conf"), drop_in.to_owned());
    }
    let all = answers(&words, &files, None);
    for path in files.keys() {
        for (answer, (name, less)) in all.iter().zip(answers(&words, &files, Some(path))) {
            assert!(less.is_none() || less == answer.1, "{name} without {path}: {less:?}");
        }
    }
    if let Some((path, last)) = files.clone().last_key_value().filter(|(path, _)| *path != "/c") {
        files.insert(format!("{path}.again.conf"), last.clone());
        assert_eq!(all, answers(&words, &files, None), "{path} is laid over them again");
    }
}

/// What each field comes to; nothing where it is a gap.
type Answers = Vec<(&'static str, Option<String>)>;

fn answers(words: &str, files: &BTreeMap<String, String>, lost: Option<&String>) -> Answers {
    let words = std::iter::once("kubelet").chain(words.split_whitespace()).map(str::to_owned);
    let seen = files.iter().filter(|(path, _)| Some(*path) != lost);
    let texts = seen.map(|(path, text)| (path.clone(), FileSeen::Text(text.clone()))).collect();
    let names = files.keys().filter_map(|path| path.strip_prefix("/d/")).map(str::to_owned);
    let directories = BTreeMap::from([("/d".to_owned(), names.collect())]);
    let version: KubeVersion = "1.37".parse().expect("a version");
    let settings = Settings {
        component: Component::Kubelet,
        minor: Fact::seen(version.minor, Source::Configz).into(),
        command_line: CommandLine::of_process(Component::Kubelet, &words.collect::<Vec<_>>()),
        environment: Fact::gap("it was not seen", "to see it"),
        files: Files { texts, directories },
    };
    let kubelet = Kubelet { settings, configz: None };
    let said = |path| kubelet.value(path).known().ok().map(|seen| format!("{:?}", seen.value));
    FIELDS.iter().map(|path| (*path, said(path))).collect()
}

const FIELDS: [&str; 9] = [
    "authentication.anonymous.enabled",
    "authentication.x509.clientCAFile",
    "authorization.mode",
    "eventRecordQPS",
    "featureGates",
    "podPidsLimit",
    "readOnlyPort",
    "seccompDefault",
    "streamingConnectionIdleTimeout",
];
