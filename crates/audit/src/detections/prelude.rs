//! What detections say and ask with.

pub(super) use ringfort_model::severity::Severity;

pub(super) use crate::caller::{self, account, is_keeper, is_node, is_of_a_run, is_system};
pub(super) use crate::detection::{
    ANSWERED, Burst, Detection, Fed, First, Judge, Need, Of, Reuse, Then, Who,
};
pub(super) use crate::engine::matches;
pub(super) use crate::event::{ANONYMOUS, Level, Stage, Text};
pub(super) use crate::feeds::{Feed, Made, Unmeant};
pub(super) use crate::node::Node;
pub(super) use crate::scene::{Scene, number};

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::Event;
use crate::pod;

/// What stores an object.
pub(super) const WRITES: &[&str] = &["create", "update", "patch"];
/// What changes what is stored.
pub(super) const CHANGES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];

/// A need to see requests of anyone but the cluster's components.
pub(super) const fn others(verbs: &'static [&'static str], of: Of, level: Level) -> Need {
    Need { who: Who::Others, verbs, of, level, stages: ANSWERED }
}

/// A need to see requests of anyone.
pub(super) const fn anyone(verbs: &'static [&'static str], of: Of, level: Level) -> Need {
    Need { who: Who::Anyone, ..others(verbs, of, level) }
}

/// A need to see requests of those without a name.
pub(super) const fn anonymous(verbs: &'static [&'static str], of: Of, level: Level) -> Need {
    Need { who: Who::Anonymous, ..others(verbs, of, level) }
}

/// Everything by which rights are given.
pub(super) const RIGHTS: Of = Of::Resources(&[
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
]);
/// Everything that holds a pod.
pub(super) const POD_RESOURCES: Of = Of::Resources(pod::RESOURCES);
/// A need to see pods and templates as they are written.
pub(super) const POD_WRITTEN: Need = others(WRITES, POD_RESOURCES, Level::RequestResponse);
/// A need to see who runs commands: the address says which.
pub(super) const EXEC: Need = others(&[], Of::Resources(&[("", "pods/exec")]), Level::Metadata);

/// Kinds that live in namespaces and are worth listing across all of them.
pub(super) const NAMESPACED: [&str; 6] =
    ["configmaps", "deployments", "pods", "rolebindings", "secrets", "serviceaccounts"];

/// What is asked: one number for user, verb, kind and namespace.
pub(super) fn asked(event: &Event<'_>) -> u64 {
    let user = &event.actor().username;
    number(&[user, &event.verb, event.resource(), event.subresource(), event.namespace()])
}

/// The command that is to be run, as the address has it, decoded as the server does.
pub(super) fn command(scene: &Scene<'_>) -> Option<String> {
    let mut words = scene.event.parameters("command");
    if words.is_empty() {
        words = scene.sent()?.at("command").texts().map(str::to_owned).collect();
    }
    (!words.is_empty()).then(|| words.join(" "))
}

/// Says what a workload runs that it did not run before. Where it is not known, a patch says it that brings it.
pub(super) fn changed_program(scene: &Scene<'_>) -> Option<String> {
    let resource = scene.event.resource();
    let now = programs(resource, scene.object()?);
    let Some(before) = scene.before(|object| programs(resource, object)) else {
        let brought = scene.brought(|patch| programs(resource, patch))?;
        let is_brought = |it: &Program| !it.image.is_empty() || !it.command.is_empty();
        return brought
            .iter()
            .any(is_brought)
            .then(|| "a container runs something else".to_owned());
    };
    now.iter().find_map(|program| {
        let known = before.iter().find(|it| (it.kind, &it.name) == (program.kind, &program.name));
        let what = match known {
            None => "is new",
            Some(known) if known.image != program.image => "has another image",
            Some(known) if known.command != program.command => "runs another command",
            Some(_) => return None,
        };
        Some(format!("container {} {what}", program.name))
    })
}

/// What a container runs.
struct Program {
    kind: &'static str,
    name: String,
    image: String,
    command: Vec<String>,
}

fn programs(resource: &str, object: &Node<'_>) -> Vec<Program> {
    let Some(pod) = pod::pod(resource, object) else { return Vec::new() };
    let of_kind = |kind: &'static str| {
        pod.spec.at(kind).items().iter().map(move |container| Program {
            kind,
            name: container.at("name").text().to_owned(),
            image: container.at("image").text().to_owned(),
            command: ["command", "args"]
                .iter()
                .flat_map(|part| container.at(part).texts().map(str::to_owned))
                .collect(),
        })
    };
    ["initContainers", "containers"].into_iter().flat_map(of_kind).collect()
}

/// Finds the first of some words that a text holds, in either case. They are written in lower case, and begin with a
/// letter.
pub(super) fn word_in<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let text = text.as_bytes();
    // A letter is one bit, in either case; what falls on the same is told apart below.
    let bit = |letter: u8| 1_u32 << (letter & 31);
    let first = |word: &&str| word.bytes().next().map_or(0, bit);
    let firsts = words.iter().fold(0, |all, word| all | first(word));
    let begins = |at: usize, word: &str| {
        let part = text.get(at..at + word.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    let places = (0..text.len()).filter(|at| firsts & bit(text[*at]) != 0);
    let found = places.filter_map(|at| words.iter().position(|word| begins(at, word)));
    found.min().map(|number| words[number])
}

/// Whether words are what shells to the outside are made of.
pub(super) fn is_reverse_shell(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    let is_netcat = ["nc ", "ncat ", "netcat "].iter().any(|tool| words.contains(tool));
    words.contains("/dev/tcp/")
        || words.contains("/dev/udp/")
        || (is_netcat
            && [" -e", " -c", "mkfifo", "| sh", "|sh", "/bin/sh", "/bin/bash"]
                .iter()
                .any(|it| words.contains(it)))
        || (words.contains("socat ") && words.contains("exec:"))
        || (words.contains("socket") && words.contains("subprocess"))
        || (words.contains("fsockopen") && words.contains("exec"))
        || (words.contains("tcpsocket") && words.contains("exec"))
}

/// Whether an address belongs to no private network.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(it) => {
            let [first, second, ..] = it.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            !(it.is_private()
                || it.is_loopback()
                || it.is_link_local()
                || it.is_unspecified()
                || is_shared)
        }
        IpAddr::V6(it) => {
            let is_private = it.is_unique_local() || it.is_unicast_link_local();
            !(is_private || it.is_loopback() || it.is_unspecified())
        }
    }
}

/// The network of an address that is told apart from others: /16, or /48 of IPv6.
pub(super) fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(it) => u64::from(it.to_bits() >> 16),
        IpAddr::V6(it) => u64::try_from(it.to_bits() >> 80).unwrap_or_default() | 1 << 48,
    }
}

/// Whether a path of a machine, or what lies below it, can be used to take the machine.
pub(super) fn is_sensitive(path: &str) -> bool {
    if path.is_empty() {
        return false;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let path = format!("/{}", parts.join("/"));
    let below = |path: &str, of: &str| path == of || path.starts_with(&format!("{of}/"));
    path == "/" || SENSITIVE.iter().any(|known| below(&path, known) || below(known, &path))
}

const SENSITIVE: [&str; 17] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/opt/cni",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/var/spool/cron",
];

/// Whether any rule of a role gives one of the verbs of one of the resources; without verbs, any verb.
pub(super) fn gives(role: &Node<'_>, verbs: &[&str], resources: &[&str]) -> bool {
    role.at("rules").items().iter().any(|rule| {
        let is_verb = |verb: &str| verbs.is_empty() || verb == "*" || verbs.contains(&verb);
        let is_resource = |resource: &str| resource == "*" || resources.contains(&resource);
        rule.at("verbs").texts().any(is_verb) && rule.at("resources").texts().any(is_resource)
    })
}

/// Gives what stands in a request for a certificate.
pub(super) fn request(encoded: &str) -> Option<Vec<u8>> {
    let pem = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let body: String =
        pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    STANDARD.decode(body).ok()
}

/// Whether bytes hold a name, in one of the alphabets that certificates are written in.
pub(super) fn holds(bytes: &[u8], name: &str) -> bool {
    let wide: Vec<u8> = name.bytes().flat_map(|byte| [0, byte]).collect();
    let within = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    within(name.as_bytes()) || within(&wide)
}

#[cfg(test)]
mod tests {
    use super::word_in;

    #[test]
    fn the_first_word_is_found_wherever_it_stands() {
        let words = ["nsenter", "r00t", "node-shell", "sent"];
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(word_in(text, &words), expected, "{text}");
        };
        check("Node-Shell-x7", Some("node-shell"));
        check("node-shell-R00T", Some("r00t"));
        check("nsenter", Some("nsenter"));
        check("absent", Some("sent"));
        check("nsente", Some("sent"));
        check("r0\u{16b}t", None);
        check("n", None);
        check("", None);
    }
}
