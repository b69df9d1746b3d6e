//! Lets packets of this machine's pods leave the cluster by the machine's own address, where the file asks for that:
//! looks at the table of nftables, and gives the commands that make it what it should be.
//!
//! Within the cluster packets keep their address, by which policies and audit logs know pods. Nothing is opened here:
//! what policies stop is dropped before it gets this far.

use std::net::IpAddr;

use serde_json::Value;

use ringfort_model::digest::Digest;
use ringfort_model::routes::{Masquerade, Routes};

use super::plan::{Step, command};
use super::{LookError, MASQUERADE};
use crate::tools::{Tools, run};

/// The families that have a table of that name each.
const FAMILIES: [&str; 2] = ["ip", "ip6"];

/// What nobody asks from a machine's address but the machine, by family: the addresses of links, among which providers
/// tell a machine its own secrets, and the one where they do so in IPv6.
const OF_MACHINES: [&[&str]; 2] = [&["169.254.0.0/16"], &["fe80::/10", "fd00:ec2::254"]];

/// What is there in a family.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Held {
    family: &'static str,
    /// The name of the rule, if the table holds it alone and has it work.
    mark: Option<String>,
}

/// Looks at which tables are there.
pub(super) fn look(tools: &dyn Tools) -> Result<Vec<Held>, LookError> {
    let tables = ask(tools, &["-j", "list", "tables"])?;
    let is_there = |family: &&'static str| {
        let mut all = entries(&tables, "table");
        all.any(|table| table["name"] == MASQUERADE && table["family"] == *family)
    };
    let held = |family: &'static str| -> Result<Held, LookError> {
        let listed = ask(tools, &["-j", "list", "table", family, MASQUERADE])?;
        Ok(Held { family, mark: mark(&listed) })
    };
    FAMILIES.into_iter().filter(is_there).map(held).collect()
}

/// Gives the steps that lead from what is there to what should be.
pub(super) fn plan(wanted: &Routes, held: &[Held]) -> Vec<Step> {
    let rule = wanted.masquerade.as_ref().map(|masquerade| Rule::new(wanted, masquerade));
    let step = |family: &'static str| {
        let there = held.iter().find(|held| held.family == family);
        let Some(rule) = rule.as_ref().filter(|rule| rule.family == family) else {
            return there.map(|_| command(&format!("nft delete table {family} {MASQUERADE}")));
        };
        let is_right = there.is_some_and(|held| held.mark.as_ref() == Some(&rule.mark));
        (!is_right).then(|| Step::Run(vec!["nft".to_owned(), rule.script()]))
    };
    FAMILIES.into_iter().filter_map(step).collect()
}

/// The one rule of a table.
struct Rule {
    family: &'static str,
    text: String,
    /// By what it is known again: nft lists ranges in another form than they were written in.
    mark: String,
}

impl Rule {
    fn new(wanted: &Routes, masquerade: &Masquerade) -> Self {
        let own = wanted.own.pods;
        let is_spoken = |address: IpAddr| address.is_ipv4() == own.base().is_ipv4();
        let at = usize::from(!own.base().is_ipv4());
        let ranges = masquerade.inside.iter().filter(|range| is_spoken(range.base()));
        let machines = wanted.peers.iter().chain([&wanted.own]).map(|hop| hop.address);
        let machines = machines.filter(|address| is_spoken(*address));
        let mut inside: Vec<String> = ranges.map(ToString::to_string).collect();
        inside.extend(machines.map(|address| address.to_string()));
        inside.extend(OF_MACHINES[at].iter().map(|&range| range.to_owned()));
        let (family, inside) = (FAMILIES[at], inside.join(", "));
        let text = format!(
            "{family} saddr {own} {family} daddr != {{ {inside} }} masquerade fully-random"
        );
        let mark = format!("ringfort {}", Digest::of(text.as_bytes()).short());
        Self { family, text, mark }
    }

    /// Writes one transaction that makes the table, whatever was there before: no packet goes between two halves.
    fn script(&self) -> String {
        let Self { family, text, mark } = self;
        let table = format!("{family} {MASQUERADE}");
        format!(
            "add table {table}; delete table {table}; add table {table}; \
             add chain {table} outside {{ type nat hook postrouting priority srcnat; policy accept; }}; \
             add rule {table} outside {text} comment \"{mark}\""
        )
    }
}

/// Gives the name of a table's rule, if nothing else is in the table and nothing keeps it from its work.
fn mark(listed: &Value) -> Option<String> {
    let chains: Vec<&Value> = entries(listed, "chain").collect();
    let rules: Vec<&Value> = entries(listed, "rule").collect();
    let ([chain], [rule]) = (&chains[..], &rules[..]) else { return None };
    let is_hooked = chain["type"] == "nat" && chain["hook"] == "postrouting";
    // A table can be put to sleep, which is a flag.
    let is_awake = entries(listed, "table").all(|table| table.get("flags").is_none());
    let works = is_hooked && chain["policy"] == "accept" && is_awake;
    rule["comment"].as_str().filter(|_| works).map(str::to_owned)
}

/// Gives what nft lists of a kind.
fn entries<'v>(listed: &'v Value, kind: &'static str) -> impl Iterator<Item = &'v Value> {
    let all = listed["nftables"].as_array().into_iter().flatten();
    all.filter_map(move |entry| entry.get(kind))
}

fn ask(tools: &dyn Tools, arguments: &[&str]) -> Result<Value, LookError> {
    let text = run(tools, "nft", arguments)?;
    serde_json::from_str(&text).map_err(|error| LookError::Astray {
        command: format!("nft {}", arguments.join(" ")),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use serde_json::{Value, json};

    use ringfort_model::name::NodeName;
    use ringfort_model::routes::{Hop, Masquerade, RouteMode, Routes};

    use super::super::LookError;
    use super::{Held, MASQUERADE, Rule, look, plan};
    use crate::tools::{Said, Tools};

    fn hop(node: &str, address: &str, pods: &str) -> Hop {
        let node = NodeName::new(node).unwrap();
        Hop { node, address: address.parse().unwrap(), pods: pods.parse().unwrap() }
    }

    fn wanted(inside: &[&str]) -> Routes {
        let inside = inside.iter().map(|range| range.parse().unwrap()).collect();
        Routes {
            mode: RouteMode::Auto,
            own: hop("cp1", "10.77.0.11", "10.244.0.0/24"),
            peers: vec![hop("cp2", "10.77.0.12", "10.244.1.0/24")],
            tunnel: None,
            masquerade: Some(Masquerade { inside }),
        }
    }

    fn asked() -> Routes {
        wanted(&["10.244.0.0/16", "10.96.0.0/16"])
    }

    fn said(wanted: &Routes, held: &[Held]) -> Vec<String> {
        plan(wanted, held).iter().map(ToString::to_string).collect()
    }

    /// A machine's nft, which has a table in one family and knows of no other.
    struct Nft(Option<(&'static str, Value)>);

    impl Tools for Nft {
        fn run(&self, _: &str, arguments: &[&str]) -> io::Result<Said> {
            let listed = match (&self.0, arguments) {
                (None, ["-j", "list", "tables"]) => json!([{"metainfo": {}}]),
                (Some((family, _)), ["-j", "list", "tables"]) => json!([
                    {"table": {"family": "ip", "name": "kube-proxy"}},
                    {"table": {"family": family, "name": MASQUERADE}},
                ]),
                (Some((family, held)), ["-j", "list", "table", of, MASQUERADE]) if of == family => {
                    held.clone()
                }
                _ => return Ok(Said::default()),
            };
            let stdout = json!({"nftables": listed}).to_string();
            Ok(Said { well: true, stdout, ..Said::default() })
        }
    }

    /// The table as nft 1.0.6 lists it, but for what its rule matches.
    fn kept(family: &str, mark: &str) -> Value {
        json!([
            {"metainfo": {"version": "1.0.6"}},
            {"table": {"family": family, "name": MASQUERADE, "handle": 2}},
            {"chain": {
                "family": family, "table": MASQUERADE, "name": "outside", "handle": 1,
                "type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept",
            }},
            {"rule": {
                "family": family, "table": MASQUERADE, "chain": "outside", "handle": 3,
                "comment": mark, "expr": [{"masquerade": {"flags": "fully-random"}}],
            }},
        ])
    }

    fn own_mark(wanted: &Routes) -> String {
        Rule::new(wanted, wanted.masquerade.as_ref().unwrap()).mark
    }

    #[test]
    fn pods_are_masqueraded_but_for_what_is_inside() {
        let steps = said(&asked(), &[]);
        let [step] = &steps[..] else { panic!("{steps:?}") };
        let start = "nft add table ip ringfort_masquerade; delete table ip ringfort_masquerade; \
                     add table ip ringfort_masquerade; \
                     add chain ip ringfort_masquerade outside { type nat hook postrouting priority srcnat; \
                     policy accept; }; \
                     add rule ip ringfort_masquerade outside ip saddr 10.244.0.0/24 ip daddr != \
                     { 10.244.0.0/16, 10.96.0.0/16, 10.77.0.12, 10.77.0.11, 169.254.0.0/16 } \
                     masquerade fully-random comment \"ringfort ";
        assert!(step.starts_with(start), "{step}");
    }

    #[test]
    fn each_family_knows_its_own_addresses_only() {
        let mut wanted = wanted(&["10.96.0.0/16", "fd00:2::/48"]);
        wanted.own.pods = "fd00:1::/64".parse().unwrap();
        let steps = said(&wanted, &[]);
        let [step] = &steps[..] else { panic!("{steps:?}") };
        let rule = "ip6 saddr fd00:1::/64 ip6 daddr != { fd00:2::/48, fe80::/10, fd00:ec2::254 } masquerade";
        assert!(step.contains(rule), "{step}");
    }

    #[test]
    fn nothing_is_done_twice() {
        let machine = Nft(Some(("ip", kept("ip", &own_mark(&asked())))));
        assert_eq!(said(&asked(), &look(&machine).unwrap()), [""; 0]);
        let unasked = Routes { masquerade: None, ..asked() };
        assert_eq!(said(&unasked, &look(&Nft(None)).unwrap()), [""; 0]);
    }

    #[test]
    fn what_differs_or_is_taken_away_is_put_back() {
        let check = |pointer: &str, value: Value| {
            let mut listed = kept("ip", &own_mark(&asked()));
            *listed.pointer_mut(pointer).unwrap() = value;
            let held = look(&Nft(Some(("ip", listed)))).unwrap();
            assert_eq!(said(&asked(), &held), said(&asked(), &[]), "{pointer}");
        };
        check("/3", json!({"set": {"name": "instead of the rule"}}));
        check("/2/chain/policy", json!("drop"));
        check("/2/chain/hook", json!("input"));
        check("/3/rule/comment", json!("ringfort 00000000"));
        check("/1/table", json!({"family": "ip", "name": MASQUERADE, "flags": "dormant"}));
        check("/0", json!({"rule": {"chain": "outside", "expr": [{"accept": null}]}}));
        assert_eq!(said(&asked(), &look(&Nft(None)).unwrap()).len(), 1);
        // Another machine in the cluster is another rule.
        let mut more = asked();
        more.peers.push(hop("w1", "10.77.0.21", "10.244.2.0/24"));
        assert_ne!(own_mark(&more), own_mark(&asked()));
    }

    #[test]
    fn it_goes_where_it_is_not_asked_for() {
        let unasked = Routes { masquerade: None, ..asked() };
        for family in ["ip", "ip6"] {
            let held = look(&Nft(Some((family, kept(family, "ringfort 00000000"))))).unwrap();
            let gone = format!("nft delete table {family} ringfort_masquerade");
            assert_eq!(said(&unasked, &held), [gone]);
        }
        // Nor does one stay in a family that pods do not speak.
        let held = look(&Nft(Some(("ip6", kept("ip6", &own_mark(&asked())))))).unwrap();
        let steps = said(&asked(), &held);
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[1], "nft delete table ip6 ringfort_masquerade");
    }

    #[test]
    fn what_cannot_be_looked_at_is_no_empty_table() {
        struct Mute(bool);
        impl Tools for Mute {
            fn run(&self, _: &str, _: &[&str]) -> io::Result<Said> {
                Ok(Said { well: self.0, ..Said::default() })
            }
        }
        assert!(matches!(look(&Mute(false)), Err(LookError::Tool(_))));
        assert!(matches!(look(&Mute(true)), Err(LookError::Astray { .. })));
    }
}
