//! Settles whether packets of pods are encrypted between machines: by the spec, by what the kernels
//! can do, and by what was settled before. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfort_model::name::NodeName;
use ringfort_model::survey::Survey;
use ringfort_model::tunnel::{Carriage, PodTraffic};
use ringfort_spec::{Encryption, POD_ENCRYPTION, Provider, Spec};

use crate::preflight::{Finding, Weight};

/// The feature of the kernel, as surveys name it.
pub(crate) const WIREGUARD: &str = "wireguard";

/// What machines can do about packets of pods.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Abilities {
    /// Whether each kernel has WireGuard; `None` where it could not be tried.
    pub wireguard: BTreeMap<NodeName, Option<bool>>,
    /// The least that a packet on the machines' network may hold, in bytes.
    pub mtu_bytes: Option<u32>,
    /// Whether a machine was not asked, because nobody answers there.
    pub is_partial: bool,
}

impl Abilities {
    /// Reads them from surveys of machines with these addresses.
    pub fn read<'a>(surveys: impl Iterator<Item = (&'a NodeName, IpAddr, &'a Survey)>) -> Self {
        let mut abilities = Self::default();
        for (node, address, survey) in surveys {
            let can = survey.features.get(WIREGUARD).copied();
            abilities.wireguard.insert(node.clone(), can);
            let mtu_bytes = survey.link_of(address).and_then(|link| link.mtu_bytes);
            let least = abilities.mtu_bytes.into_iter().chain(mtu_bytes).min();
            abilities.mtu_bytes = least;
        }
        abilities
    }

    /// Lists the machines that cannot, or of which nobody knows.
    fn lacking(&self) -> Vec<&NodeName> {
        self.wireguard.iter().filter(|(_, can)| **can != Some(true)).map(|(node, _)| node).collect()
    }
}

/// What was settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// How packets travel; `None` where another network carries them.
    pub carriage: Option<Carriage>,
    /// Why, in one sentence.
    pub why: String,
    /// What must be mended first, or be known.
    pub findings: Vec<Finding>,
}

/// Settles it.
pub fn settle(spec: &Spec, held: Option<Carriage>, abilities: &Abilities) -> Settled {
    if spec.network.provider != Provider::Ringfort {
        let why = "network.provider: none leaves pods' packets to the network that is brought";
        return Settled { carriage: None, why: why.to_owned(), findings: Vec::new() };
    }
    let lacking = abilities.lacking();
    let was_on = held.is_some_and(|held| held.traffic == PodTraffic::Encrypted);
    let (traffic, why, findings) = match spec.network.encryption {
        _ if spec.waives(POD_ENCRYPTION) => {
            let why = "pods' packets are not encrypted between machines: network/pod-encryption is waived";
            (PodTraffic::Open, why.to_owned(), Vec::new())
        }
        // Nothing is decided without those who are silent, and what was decided holds.
        Encryption::Auto | Encryption::None
            if abilities.is_partial && (lacking.is_empty() || !was_on) =>
        {
            let unasked = "not every machine was asked whether its kernel has WireGuard";
            match held {
                Some(held) => {
                    let why =
                        format!("pods' packets travel between machines as they did: {unasked}");
                    (held.traffic, why, Vec::new())
                }
                None => {
                    let why =
                        format!("pods' packets are not encrypted between machines: {unasked}");
                    let text = format!("{why}: run again once all of them answer");
                    (
                        PodTraffic::Open,
                        why,
                        vec![Finding { node: None, text, weight: Weight::Advice }],
                    )
                }
            }
        }
        // `none` is nothing without its waiver, which ends by itself.
        Encryption::Auto | Encryption::None if lacking.is_empty() => {
            let why = "pods' packets are encrypted between machines: every kernel has WireGuard";
            (PodTraffic::Encrypted, why.to_owned(), Vec::new())
        }
        Encryption::Auto | Encryption::None if !was_on => {
            let why = format!(
                "pods' packets are not encrypted between machines: {} without WireGuard: {}",
                if lacking.len() == 1 { "a kernel" } else { "kernels" },
                names(&lacking)
            );
            (
                PodTraffic::Open,
                why.clone(),
                vec![Finding { node: None, text: why, weight: Weight::Advice }],
            )
        }
        asked => {
            let why = match asked {
                Encryption::Wireguard => "network.encryption is wireguard",
                _ => "they were encrypted before",
            };
            let findings = lacking.iter().map(|node| unable(node, abilities, why)).collect();
            (
                PodTraffic::Encrypted,
                format!("pods' packets are encrypted between machines: {why}"),
                findings,
            )
        }
    };
    let asked = abilities.mtu_bytes.filter(|_| !abilities.is_partial || held.is_none());
    let mtu_bytes =
        asked.or(held.map(|held| held.mtu_bytes)).unwrap_or(Carriage::default().mtu_bytes);
    Settled { carriage: Some(Carriage { traffic, mtu_bytes }), why, findings }
}

fn unable(node: &NodeName, abilities: &Abilities, because: &str) -> Finding {
    let what = match abilities.wireguard.get(node).copied().flatten() {
        Some(_) => "the kernel lacks WireGuard",
        None => "whether the kernel has WireGuard could not be tried",
    };
    let text = format!(
        "{what}, and pods' packets are to be encrypted ({because}): install the kernel's module, or waive {POD_ENCRYPTION}"
    );
    Finding { node: Some(node.clone()), text, weight: Weight::Run }
}

fn names(nodes: &[&NodeName]) -> String {
    nodes.iter().map(|node| node.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ringfort_model::name::NodeName;
    use ringfort_model::survey::{LinkSeen, Survey};
    use ringfort_model::tunnel::{Carriage, PodTraffic};
    use ringfort_spec::Spec;

    use super::{Abilities, Weight, settle};

    fn spec(more: &str) -> Spec {
        let text = format!(
            "apiVersion: ringfort.dev/v1\nkind: Cluster\nname: harbour\nkubernetes: \"1.37\"\n\
             controlPlanes: [10.0.0.11, 10.0.0.12, 10.0.0.13]\n\
             workers: [10.0.0.21, 10.0.0.22, 10.0.0.23]\nssh: {{ user: root }}\n{more}"
        );
        let today = "2026-01-01".parse().unwrap();
        ringfort_spec::read(&text, "cluster.yaml", &ringfort_controls::known(), today).unwrap()
    }

    /// Machines whose kernels can, cannot, or are not known.
    fn abilities(kernels: &[Option<bool>]) -> Abilities {
        let address = |number: u8| [10, 0, 0, number];
        let surveys: Vec<(NodeName, IpAddr, Survey)> = (1..)
            .zip(kernels)
            .map(|(number, can)| {
                let features = can.map(|can| ("wireguard".to_owned(), can)).into_iter().collect();
                let link = |address: [u8; 4], mtu| LinkSeen {
                    addresses: vec![(address.into(), 24)],
                    mtu_bytes: Some(mtu),
                    ..LinkSeen::default()
                };
                let links =
                    Some(vec![link([192, 0, 2, number], 1280), link(address(number), 1500)]);
                let survey = Survey { features, links, ..Survey::default() };
                (NodeName::new(format!("m{number}")).unwrap(), address(number).into(), survey)
            })
            .collect();
        Abilities::read(surveys.iter().map(|(node, address, survey)| (node, *address, survey)))
    }

    fn check(
        more: &str,
        held: Option<PodTraffic>,
        kernels: &[Option<bool>],
        expected: (PodTraffic, usize, usize),
        why: &str,
    ) {
        let held = held.map(|traffic| Carriage { traffic, mtu_bytes: 1500 });
        let settled = settle(&spec(more), held, &abilities(kernels));
        let fatal = settled.findings.iter().filter(|it| it.weight == Weight::Run).count();
        let found = (settled.carriage.unwrap().traffic, fatal, settled.findings.len() - fatal);
        assert_eq!(found, expected, "{more} {held:?} {kernels:?}: {}", settled.why);
        assert!(settled.why.contains(why), "{}", settled.why);
    }

    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);
    const WAIVED: &str = "waivers:\n- { control: network/pod-encryption, reason: a, owner: b, expires: 2026-02-01 }\n";

    #[test]
    fn auto_encrypts_when_every_kernel_can() {
        use PodTraffic::{Encrypted, Open};
        check("", None, &[YES, YES], (Encrypted, 0, 0), "every kernel");
        check("", Some(Open), &[YES, YES], (Encrypted, 0, 0), "every kernel");
        check("", None, &[YES, NO], (Open, 0, 1), "a kernel without WireGuard: m2");
        check("", None, &[NO, None], (Open, 0, 1), "kernels without WireGuard: m1, m2");
    }

    #[test]
    fn what_is_encrypted_is_never_opened_by_a_machine_that_cannot() {
        use PodTraffic::Encrypted;
        check("", Some(Encrypted), &[YES, NO], (Encrypted, 1, 0), "were encrypted before");
        check("", Some(Encrypted), &[None, NO], (Encrypted, 2, 0), "were encrypted before");
        let insists = "network: { encryption: wireguard }\n";
        check(insists, None, &[NO, YES], (Encrypted, 1, 0), "encryption is wireguard");
        check(insists, None, &[YES, YES], (Encrypted, 0, 0), "encryption is wireguard");
    }

    #[test]
    fn nothing_is_decided_without_those_who_are_silent() {
        use PodTraffic::{Encrypted, Open};
        let check = |more: &str, held: PodTraffic, kernels: &[Option<bool>], expected, fatal| {
            let abilities =
                Abilities { is_partial: true, mtu_bytes: Some(1400), ..abilities(kernels) };
            let held = Carriage { traffic: held, mtu_bytes: 1500 };
            let settled = settle(&spec(more), Some(held), &abilities);
            let carriage = settled.carriage.unwrap();
            assert_eq!((carriage.traffic, carriage.mtu_bytes), (expected, 1500), "{more}");
            assert_eq!(settled.findings.len(), fatal, "{}", settled.why);
        };
        check("", Open, &[YES], Open, 0);
        check("", Encrypted, &[YES], Encrypted, 0);
        check("", Encrypted, &[NO], Encrypted, 1);
        check(WAIVED, Encrypted, &[YES], Open, 0);
        check("network: { encryption: wireguard }\n", Open, &[YES], Encrypted, 0);
        let abilities = Abilities { is_partial: true, ..abilities(&[YES]) };
        let fresh = settle(&spec(""), None, &abilities);
        assert_eq!(fresh.carriage.unwrap().traffic, Open);
        assert!(fresh.findings[0].text.contains("run again once all"), "{}", fresh.why);
    }

    #[test]
    fn the_link_of_a_machines_address_says_how_much_a_packet_holds() {
        assert_eq!(abilities(&[YES, NO]).mtu_bytes, Some(1500));
        assert_eq!(Abilities::default().mtu_bytes, None);
    }

    #[test]
    fn only_the_spec_ends_it() {
        use PodTraffic::{Encrypted, Open};
        check(WAIVED, Some(Encrypted), &[YES, YES], (Open, 0, 0), "waived");
        let none = format!("network: {{ encryption: none }}\n{WAIVED}");
        check(&none, Some(Encrypted), &[YES, NO], (Open, 0, 0), "waived");
        let ended = none.replace("2026-02-01", "2025-12-31");
        check(&ended, Some(Open), &[YES, YES], (Encrypted, 0, 0), "every kernel");
    }

    #[test]
    fn another_network_settles_it_itself() {
        let settled = settle(&spec("network: { provider: none }\n"), None, &abilities(&[YES]));
        assert_eq!((settled.carriage, settled.findings.len()), (None, 0));
    }
}
