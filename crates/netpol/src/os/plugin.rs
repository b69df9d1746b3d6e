//! The network plugin that stands last in the list of a node's: it holds a new pod back until the
//! enforcer says that its rules are in force, so that its first packet is judged.

use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::attached::{Attachment, forget};
use super::door::{Call, Reply, call};
use super::enforcer::pods_directory;

/// The versions of the plugins' interface that this one speaks.
const VERSIONS: [&str; 4] = ["0.4.0", "1.0.0", "1.1.0", "0.3.1"];

/// Codes of the interface: what is asked cannot be, and try again later.
const BAD: u32 = 4;
const LATER: u32 = 11;
const NOT_AVAILABLE: u32 = 50;

/// What keeps a pod from being started.
struct Refused {
    code: u32,
    why: String,
}

#[expect(clippy::needless_pass_by_value, reason = "texts and errors alike, as map_err gives them")]
fn later(why: impl ToString) -> Refused {
    Refused { code: LATER, why: why.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "texts and errors alike, as map_err gives them")]
fn bad(why: impl ToString) -> Refused {
    Refused { code: BAD, why: why.to_string() }
}

/// Does what a container runtime asks; gives what is to be printed, and whether it went well.
pub fn plug(variables: impl Fn(&str) -> Option<String>, input: impl Read) -> (String, bool) {
    let mut text = String::new();
    let read = input.take(1 << 20).read_to_string(&mut text);
    let asked: Value = match read.map_err(bad).and_then(|_| match text.trim() {
        "" => Ok(Value::Null),
        text => serde_json::from_str(text).map_err(bad),
    }) {
        Ok(asked) => asked,
        Err(refused) => return failed(None, &refused),
    };
    let version = asked["cniVersion"].as_str();
    let done = match variables("CNI_COMMAND").as_deref() {
        Some("VERSION") => Ok(json!({"cniVersion": "1.1.0", "supportedVersions": VERSIONS})),
        Some("ADD") => add(&variables, &asked),
        Some("DEL") => del(&variables),
        Some("STATUS") => status(),
        // Rules are kept by the enforcer itself; what they are is none of the runtime's.
        Some("CHECK" | "GC") => Ok(Value::Null),
        other => Err(bad(format!("CNI_COMMAND is {other:?}"))),
    };
    match done {
        Ok(Value::Null) => (String::new(), true),
        Ok(answer) => (answer.to_string(), true),
        Err(refused) => failed(version, &refused),
    }
}

fn failed(version: Option<&str>, refused: &Refused) -> (String, bool) {
    let said = json!({
        "cniVersion": version.unwrap_or("1.0.0"),
        "code": refused.code,
        "msg": "ringfort's network policies",
        "details": refused.why,
    });
    (said.to_string(), false)
}

fn add(variables: &impl Fn(&str) -> Option<String>, asked: &Value) -> Result<Value, Refused> {
    let result = &asked["prevResult"];
    if result.is_null() {
        return Err(bad("no plugin before this one gave addresses"));
    }
    let attachment = attachment(variables, result)?;
    match call(&Call::Attach(attachment)).map_err(away)? {
        Reply::Done => Ok(result.clone()),
        Reply::Failed(why) => Err(later(why)),
        Reply::Shown(_) => Err(later("the enforcer answered something else")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "texts and errors alike, as map_err gives them")]
fn away(error: io::Error) -> Refused {
    later(format!(
        "ringfort-policy.service does not answer ({error}): without it no pod is started here"
    ))
}

/// Reads whose addresses they are.
fn attachment(
    variables: &impl Fn(&str) -> Option<String>,
    result: &Value,
) -> Result<Attachment, Refused> {
    let arguments = variables("CNI_ARGS").unwrap_or_default();
    let argument = |name: &str| {
        let pairs = arguments.split(';').filter_map(|pair| pair.split_once('='));
        let found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next();
        found.ok_or_else(|| bad(format!("CNI_ARGS has no {name}")))
    };
    let addresses = result["ips"].as_array().into_iter().flatten();
    let addresses: Vec<IpAddr> = addresses
        .filter_map(|each| each["address"].as_str())
        .filter_map(|text| text.split('/').next()?.parse().ok())
        .collect();
    if addresses.is_empty() {
        return Err(bad("no plugin before this one gave addresses"));
    }
    Ok(Attachment {
        container: container(variables)?,
        namespace: argument("K8S_POD_NAMESPACE")?,
        name: argument("K8S_POD_NAME")?,
        uid: argument("K8S_POD_UID")?,
        addresses,
    })
}

/// Reads the sandbox's name, which becomes that of a file.
fn container(variables: &impl Fn(&str) -> Option<String>) -> Result<String, Refused> {
    let name = variables("CNI_CONTAINERID").ok_or_else(|| bad("CNI_CONTAINERID is not there"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) {
        return Err(bad(format!("CNI_CONTAINERID {name:?} is no name of a sandbox")));
    }
    Ok(name)
}

fn del(variables: &impl Fn(&str) -> Option<String>) -> Result<Value, Refused> {
    let container = container(variables)?;
    // A sandbox can always go. Where nobody listens, its file goes, and the enforcer reads the
    // files when it starts.
    if call(&Call::Detach { container: container.clone() }).is_err() {
        forget(Path::new(&pods_directory()), &container).map_err(later)?;
    }
    Ok(Value::Null)
}

fn status() -> Result<Value, Refused> {
    match call(&Call::Status) {
        Ok(Reply::Done) => Ok(Value::Null),
        Ok(Reply::Failed(why)) => Err(Refused { code: NOT_AVAILABLE, why }),
        Ok(Reply::Shown(_)) => Err(later("the enforcer answered something else")),
        Err(error) => Err(Refused { code: NOT_AVAILABLE, why: away(error).why }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{attachment, plug};

    fn run(variables: &[(&str, &str)], input: &Value) -> (String, bool) {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let of = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        plug(of, input.to_string().as_bytes())
    }

    const ARGS: &str = "IgnoreUnknown=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=p;K8S_POD_UID=u";

    #[test]
    fn it_says_which_versions_it_speaks() {
        let (said, well) = run(&[("CNI_COMMAND", "VERSION")], &json!({"cniVersion": "1.0.0"}));
        assert!(well && said.contains("supportedVersions"), "{said}");
    }

    #[test]
    fn a_pod_is_read_from_what_the_runtime_and_the_other_plugins_say() {
        let result = json!({"ips": [{"address": "10.1.0.2/24"}, {"address": "fd00::2/64"}]});
        let of = |name: &str| match name {
            "CNI_ARGS" => Some(ARGS.to_owned()),
            "CNI_CONTAINERID" => Some("abc".to_owned()),
            _ => None,
        };
        let Ok(read) = attachment(&of, &result) else { panic!("refused") };
        assert_eq!(
            (read.namespace.as_str(), read.name.as_str(), read.uid.as_str()),
            ("a", "p", "u")
        );
        assert_eq!(
            read.addresses,
            ["10.1.0.2".parse::<std::net::IpAddr>().unwrap(), "fd00::2".parse().unwrap()]
        );
    }

    #[test]
    fn a_pod_is_not_started_where_something_is_missing_or_nobody_listens() {
        let add = [("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "abc"), ("CNI_ARGS", ARGS)];
        let good =
            json!({"cniVersion": "1.0.0", "prevResult": {"ips": [{"address": "10.1.0.2/24"}]}});
        let check = |variables: &[(&str, &str)], input: &Value, expected: &str| {
            let (said, well) = run(variables, input);
            assert!(!well && said.contains(expected), "{said}");
        };
        check(&add, &json!({"cniVersion": "1.0.0"}), "gave addresses");
        check(&add, &json!({"prevResult": {"ips": []}}), "gave addresses");
        check(&add[..2], &good, "K8S_POD_");
        check(&[add[0], ("CNI_CONTAINERID", "../x"), add[2]], &good, "is no name of a sandbox");
        check(&add, &good, "ringfort-policy.service does not answer");
        check(&[("CNI_COMMAND", "STATUS")], &good, "ringfort-policy.service does not answer");
        check(&[("CNI_COMMAND", "EAT")], &good, "EAT");
    }
}
