//! The kinds of text a spec holds: for each its name in the schema, an example, and the check that
//! turns it into a type or says why not.
//!
//! Never here: rules that need to look at more than one value.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::civil::{Date, Time};
use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::net::Cidr;
use ringfort_model::receiver::HttpsUrl;
use ringfort_model::version::KubeVersion;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::endpoint::Endpoint;

/// Says why a text is not of a format; `None` if it is, or if nobody knows the format.
pub(crate) fn fault(format: &str, text: &str) -> Option<String> {
    let known = FORMATS.iter().find(|known| known.name == format)?;
    (known.check)(text).err()
}

struct Format {
    name: &'static str,
    check: fn(&str) -> Result<(), String>,
}

macro_rules! formats {
    ($($function:ident, $name:literal, $example:literal, $check:expr;)*) => {
        $(
            pub(crate) fn $function(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $name, "examples": [$example] })
            }
        )*

        const FORMATS: &[Format] =
            &[$(Format { name: $name, check: $check }),*];

        #[cfg(test)]
        const SCHEMAS: &[fn(&mut SchemaGenerator) -> Schema] = &[$($function),*];
    };
}

formats! {
    addon_name, "addon-name", "metrics", addon_name_check;
    address, "ip", "10.0.0.11", |text| address_of(text).map(drop);
    age_recipient, "age-recipient",
        "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z", recipient;
    cidr, "cidr", "10.244.0.0/16", |text| range(text).map(drop);
    cluster_name, "cluster-name", "harbour", |text| told(ClusterName::new(text));
    date, "date", "2027-01-31", expiry;
    dns_name, "dns-name", "cluster.local", dns_name_check;
    endpoint, "endpoint", "api.example.com:6443", |text| told(text.parse::<Endpoint>());
    hours, "hours", "08:00-18:00", hours_check;
    https_url, "https-url", "https://siem.example.com/ringfort", |text| told(text.parse::<HttpsUrl>());
    host_key, "ssh-public-key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…", host_key_check;
    label_key, "label-key", "e2e-framework", label_key_check;
    machine_path, "machine-path", "/etc/kubernetes", machine_path_check;
    kubernetes, "kubernetes-version", "1.37", |text| told(text.parse::<KubeVersion>());
    namespace_name, "namespace-name", "shop", namespace_name_check;
    node_name, "node-name", "cp1", |text| told(NodeName::new(text));
    socket_address, "socket-address", "10.0.0.51:6514", socket_address_check;
    user_name, "user-name", "e2e", user_name_check;
    words, "words", "…", words_check;
}

fn told<T, E: ToString>(parsed: Result<T, E>) -> Result<(), String> {
    parsed.map(drop).map_err(|fault| fault.to_string())
}

fn address_of(text: &str) -> Result<IpAddr, String> {
    let address = text.parse::<IpAddr>().map_err(|_| {
        format!("{text:?} is not an address: write one such as 10.0.0.11 or fd00::11")
    })?;
    match mapped(address) {
        None => Ok(address),
        Some(v4) => Err(format!("{text:?} is an IPv4 address in the form of IPv6: write {v4}")),
    }
}

/// Gives the address of IPv4 that one of IPv6 only stands for: Kubernetes reads and writes it as that.
fn mapped(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
    }
}

fn range(text: &str) -> Result<Cidr, String> {
    if text.contains(',') {
        return Err(format!("{text:?} names two ranges; a cluster has one, of IPv4 or of IPv6"));
    }
    let range = text.parse::<Cidr>().map_err(|fault| fault.to_string())?;
    match mapped(range.base()) {
        None => Ok(range),
        Some(_) => Err(format!("{text:?} is a range of IPv4 in the form of IPv6")),
    }
}

fn expiry(text: &str) -> Result<(), String> {
    // The parser also takes times and zones; a day is what is meant.
    match text.parse::<Date>() {
        Ok(date) if date.to_string() == text => Ok(()),
        _ => Err(format!("{text:?} is not a date: write a day such as 2027-01-31")),
    }
}

fn hours_check(text: &str) -> Result<(), String> {
    let part = |text: &str| Time::strptime("%H:%M", text).ok();
    let ends = text.split_once('-').and_then(|(from, to)| Some((part(from)?, part(to)?)));
    match ends {
        Some((from, to)) if from != to => Ok(()),
        _ => Err(format!("{text:?} is not a part of a day: write one such as \"08:00-18:00\"")),
    }
}

fn socket_address_check(text: &str) -> Result<(), String> {
    let is_plain =
        |it: SocketAddr| it.port() != 0 && mapped(it.ip()).is_none() && !text.contains('%');
    match text.parse::<SocketAddr>() {
        Ok(address) if is_plain(address) => Ok(()),
        _ => Err(format!(
            "{text:?} is not an address with a port: write one such as 10.0.0.51:6514 or [fd00::51]:6514"
        )),
    }
}

fn dns_name_check(text: &str) -> Result<(), String> {
    let labels = text.split('.').all(|label| NodeName::new(label).is_ok());
    if labels && text.len() <= 253 {
        return Ok(());
    }
    Err(format!("{text:?} is not a DNS name: write lower-case labels such as cluster.local"))
}

fn words_check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("an empty text says nothing".to_owned()) } else { Ok(()) }
}

fn machine_path_check(text: &str) -> Result<(), String> {
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(char::is_control);
    match text.strip_prefix('/') {
        Some(rest) if rest.split('/').all(is_part) => Ok(()),
        _ => Err(format!("{text:?} is not a path of a machine: write one such as /etc/kubernetes")),
    }
}

/// A label that everything carries, or that components rest on, would open more than anybody meant.
fn label_key_check(text: &str) -> Result<(), String> {
    let (prefix, name) = text.rsplit_once('/').unwrap_or(("", text));
    let ends = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| ends(c) || matches!(c, '-' | '_' | '.');
    let is_name = (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(ends)
        && name.ends_with(ends);
    if !is_name || (text.contains('/') && dns_name_check(prefix).is_err()) {
        return Err(format!(
            "{text:?} is not the key of a label: write one such as e2e-framework or example.com/e2e"
        ));
    }
    let under = |domain: &&&str| prefix == **domain || prefix.ends_with(&format!(".{domain}"));
    match RESERVED_DOMAINS.iter().find(under) {
        Some(domain) => Err(format!("labels of {domain} are not the user's to give")),
        None => Ok(()),
    }
}

const RESERVED_DOMAINS: &[&str] = &["kubernetes.io", "k8s.io", "ringfort.dev"];

fn addon_name_check(text: &str) -> Result<(), String> {
    name_check(text, "metrics")
}

fn namespace_name_check(text: &str) -> Result<(), String> {
    name_check(text, "shop")
}

/// Names of add-ons, namespaces and users are labels of DNS, as those of nodes are.
fn name_check(text: &str, such_as: &str) -> Result<(), String> {
    let complaint = |_| {
        format!(
            "{text:?} is not a name: write up to 63 lower-case letters, digits and -, such as {such_as}"
        )
    };
    NodeName::new(text).map(drop).map_err(complaint)
}

/// Keeps to names that no component has, since a certificate is signed for this one. Components'
/// names hold a colon or begin with `kube-`.
fn user_name_check(text: &str) -> Result<(), String> {
    name_check(text, "e2e")?;
    if text.starts_with("kube-") {
        return Err(format!("{text:?} is a component's name: choose another, such as e2e"));
    }
    Ok(())
}

/// Takes what stands in a `.pub` file or in a line of `ssh-keyscan` behind the address.
fn host_key_check(text: &str) -> Result<(), String> {
    let mut parts = text.split_ascii_whitespace();
    let kind = parts.next().is_some_and(|kind| HOST_KEY_KINDS.contains(&kind));
    // The base64 of a key begins with its length-prefixed kind, so with a zero byte.
    let key = parts.next().is_some_and(|key| key.starts_with("AAAA") && key.len() >= 64);
    if kind && key {
        return Ok(());
    }
    Err(format!("{text:?} is not a host key: write kind and key, such as \"ssh-ed25519 AAAA…\""))
}

const HOST_KEY_KINDS: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
    "ssh-rsa",
];

/// Checks the Bech32 form of an X25519 recipient, with its checksum, so that a slip of the pen is
/// seen before something is sealed to nobody (BIP 173; age's format, section "X25519").
fn recipient(text: &str) -> Result<(), String> {
    if text.starts_with("AGE-SECRET-KEY-") {
        // Never repeats the text: it is a secret.
        return Err("a secret key stands here: write the public one, which begins with age1, and \
                    make a new key, since this one is now in a file"
            .to_owned());
    }
    let symbols = text.strip_prefix("age1").and_then(bech32_symbols);
    match symbols {
        Some(symbols) if symbols.len() == 58 && bech32_sum(&symbols) == 1 => Ok(()),
        _ => Err(format!("{text:?} is not an age recipient: copy the line that begins with age1")),
    }
}

fn bech32_symbols(text: &str) -> Option<Vec<u32>> {
    let place = |c: char| BECH32.find(c).and_then(|place| u32::try_from(place).ok());
    text.chars().map(place).collect()
}

fn bech32_sum(symbols: &[u32]) -> u32 {
    let part = b"age".map(u32::from);
    let head = part.iter().map(|c| c >> 5);
    let tail = part.iter().map(|c| c & 31);
    let all = head.chain([0]).chain(tail).chain(symbols.iter().copied());
    all.fold(1, |sum, symbol| {
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ symbol;
        let top = sum >> 25;
        let mixed = BECH32_GENERATOR.iter().enumerate();
        mixed.fold(shifted, |sum, (bit, word)| if top >> bit & 1 == 1 { sum ^ word } else { sum })
    })
}

const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BECH32_GENERATOR: [u32; 5] =
    [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

#[cfg(test)]
mod tests {
    use schemars::SchemaGenerator;

    use super::{FORMATS, SCHEMAS, fault};

    #[test]
    fn every_example_is_of_its_format() {
        let mut generator = SchemaGenerator::default();
        for (format, schema) in FORMATS.iter().zip(SCHEMAS) {
            let schema = schema(&mut generator).to_value();
            let example = schema["examples"][0].as_str().unwrap().replace('…', &"A".repeat(68));
            assert_eq!(schema["format"], format.name);
            assert_eq!(fault(format.name, &example), None, "{}", format.name);
        }
    }

    #[test]
    fn texts_of_another_shape_are_refused() {
        let check = |format: &str, text: &str, says: &str| {
            let said = fault(format, text).unwrap_or_default();
            assert!(said.contains(says) && !says.is_empty(), "{format} {text:?}: {said:?}");
        };
        check("ip", "10.0.0", "not an address");
        check("ip", "host.example.com", "not an address");
        check("ip", "::ffff:10.0.0.11", "write 10.0.0.11");
        check("ip", "fe80::1%eth0", "not an address");
        check("cidr", "10.244.0.0", "not a range");
        check("cidr", "10.244.0.1/16", "10.244.0.0/16");
        check("cidr", "10.244.0.0/16,fd00::/48", "two ranges");
        check("cidr", "fd00::1/48", "fd00::/48");
        check("cidr", "::ffff:10.0.0.0/104", "in the form of IPv6");
        check("date", "2027-02-30", "not a date");
        check("date", "2027-01-31T10:00:00", "not a date");
        check("date", "tomorrow", "not a date");
        check("dns-name", "Cluster.local", "not a DNS name");
        check("dns-name", "cluster..local", "not a DNS name");
        check("label-key", "e2e framework", "not the key of a label");
        check("label-key", "example.com/", "not the key of a label");
        check("label-key", "/e2e", "not the key of a label");
        check("label-key", "kubernetes.io/metadata.name", "not the user's");
        check("label-key", "node.k8s.io/x", "not the user's");
        check("user-name", "system:masters", "not a name");
        check("user-name", "ringfort:keeper", "not a name");
        check("user-name", "kube-apiserver-kubelet-client", "a component's name");
        check("machine-path", "etc/kubernetes", "not a path of a machine");
        check("machine-path", "/etc/../root", "not a path of a machine");
        check("machine-path", "/", "not a path of a machine");
        check("hours", "8-18", "not a part of a day");
        check("hours", "08:00-08:00", "not a part of a day");
        check("socket-address", "10.0.0.51", "not an address with a port");
        check("socket-address", "logs.example.com:6514", "not an address with a port");
        check("socket-address", "fd00::51:6514", "not an address with a port");
        check("socket-address", "[fe80::51%2]:6514", "not an address with a port");
        check("https-url", "http://siem.example.com/", "not where reports can be sent");
        check("https-url", "https://ann:x@siem.example.com/", "would be seen by all");
        check("words", "  ", "says nothing");
        check("ssh-public-key", "AAAA", "not a host key");
        check("kubernetes-version", "1.20", "not supported");
        check("cluster-name", "Harbour", "not a name");
    }

    #[test]
    fn addresses_of_both_families_are_texts_of_their_formats() {
        for (format, text) in [
            ("ip", "fd00:10:77::11"),
            ("cidr", "fd00:10:244::/56"),
            ("endpoint", "[fd00::10]:6443"),
            ("https-url", "https://[fd00::50]/ringfort"),
            ("socket-address", "[fd00::51]:6514"),
        ] {
            assert_eq!(fault(format, text), None, "{format}");
        }
    }

    #[test]
    fn a_recipient_with_one_wrong_letter_is_refused() {
        let good = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";
        assert_eq!(fault("age-recipient", good), None);
        let bad = good.replace("lvyv", "lvyw");
        assert!(fault("age-recipient", &bad).is_some());
    }

    #[test]
    fn a_secret_key_is_not_repeated() {
        let said = fault("age-recipient", "AGE-SECRET-KEY-1QQQQ").unwrap();
        assert!(!said.contains("QQQQ"), "{said}");
    }
}
