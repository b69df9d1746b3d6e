//! Lets packets of this machine's pods leave the cluster by the machine's own address, where the file asks for that:
//! looks at the table of nftables, and gives the commands that make it what it should be.
//!
//! Within the cluster packets keep their address, by which policies and audit logs know pods. Nothing is opened here:
//! what policies stop is dropped before it gets this far.

use std::net::IpAddr;

use serde_json::Value;

use ringfort_model::digest::Digest;
use ringfort_model::metadata::{ENDPOINTS, Endpoint, LINKS};
use ringfort_model::routes::{Masquerade, Routes};

use super::plan::{Step, command};
use super::{LookError, MASQUERADE};
use crate::tools::{ToolError, Tools, tell};

/// The families that have a table of that name each.
const FAMILIES: [&str; 2] = ["ip", "ip6"];

/// How nft begins to say that a table is not there; some versions go on to guess which was meant.
const ABSENT: &str = "Error: No such file or directory";

/// What is there in a family.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Held {
    family: &'static str,
    /// The name of the rule, if the table holds it alone and has it work.
    mark: Option<String>,
}

/// Looks at which tables are there.
pub(super) fn look(tools: &dyn Tools) -> Result<Vec<Held>, LookError> {
    FAMILIES.into_iter().filter_map(|family| held(tools, family).transpose()).collect()
}

/// Looks at one table, and asks for it alone: to list which tables there are, nft 1.0.6 reads every rule of the
/// machine, which beside many Services takes a second.
fn held(tools: &dyn Tools, family: &'static str) -> Result<Option<Held>, LookError> {
    let arguments = ["-j", "list", "table", family, MASQUERADE];
    let said = tell(tools, "nft", &arguments)?;
    if !said.well && said.stderr.starts_with(ABSENT) {
        return Ok(None);
    }
    let command = format!("nft {}", arguments.join(" "));
    if !said.well {
        // In the lines behind the first, nft points into what it was told.
        let why = said.stderr.lines().next().unwrap_or_else(|| said.complaint()).to_owned();
        return Err(ToolError::Failed { command, why }.into());
    }
    match serde_json::from_str::<Value>(&said.stdout) {
        Ok(listed) => Ok(Some(Held { family, mark: mark(&listed) })),
        Err(error) => Err(LookError::Astray { command, why: error.to_string() }),
    }
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

/// Says what a packet must match besides: towards addresses that answer everybody's questions for names, that it is
/// one.
fn besides(family: &str, open: &[&Endpoint]) -> String {
    let but_names = |it: &&Endpoint| {
        let (address, port) = (it.address, it.names_at?);
        Some(format!("{address} . 0-{}, {address} . {}-65535", port - 1, port + 1))
    };
    let ports: Vec<String> = open.iter().filter_map(but_names).collect();
    match ports.as_slice() {
        [] => String::new(),
        ports => format!("{family} daddr . th dport != {{ {} }} ", ports.join(", ")),
    }
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
        // What nobody asks from a machine's address but the machine.
        inside.push(LINKS[at].to_owned());
        let told = ENDPOINTS.iter().filter(|it| is_spoken(it.address) && !it.is_of_links());
        let (open, closed): (Vec<&Endpoint>, Vec<&Endpoint>) =
            told.partition(|it| it.names_at.is_some());
        inside.extend(closed.iter().map(|it| it.address.to_string()));
        let (family, inside) = (FAMILIES[at], inside.join(", "));
        let besides = besides(family, &open);
        let text = format!(
            "{family} saddr {own} {family} daddr != {{ {inside} }} {besides}masquerade fully-random"
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

#[cfg(test)]
mod tests {
    use std::io;

    use serde_json::{Value, json};

    use ringfort_model::name::NodeName;
    use ringfort_model::routes::{Hop, Masquerade, RouteMode, Routes};

    use super::super::LookError;
    use super::{ABSENT, Held, MASQUERADE, Rule, look, plan};
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

    /// A machine's nft, which has a table in one family, knows of no other, and answers no other question.
    struct Nft(Option<(&'static str, Value)>);

    impl Tools for Nft {
        fn run(&self, _: &str, arguments: &[&str]) -> io::Result<Said> {
            let ["-j", "list", "table", asked, MASQUERADE] = arguments else {
                return Ok(Said::default());
            };
            let stderr = format!("{ABSENT}\nlist table {asked} {MASQUERADE}\n              ^^^\n");
            Ok(match &self.0 {
                Some((family, listed)) if family == asked => {
                    let stdout = json!({"nftables": listed}).to_string();
                    Said { well: true, stdout, ..Said::default() }
                }
                _ => Said { stderr, ..Said::default() },
            })
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
                     { 10.244.0.0/16, 10.96.0.0/16, 10.77.0.12, 10.77.0.11, 169.254.0.0/16, \
                     100.100.100.200 } \
                     ip daddr . th dport != { 168.63.129.16 . 0-52, 168.63.129.16 . 54-65535 } \
                     masquerade fully-random comment \"ringfort ";
        assert!(step.starts_with(start), "{step}");
    }

    #[test]
    fn each_family_knows_its_own_addresses_only() {
        let mut wanted = wanted(&["10.96.0.0/16", "fd00:2::/48"]);
        wanted.own.pods = "fd00:1::/64".parse().unwrap();
        let steps = said(&wanted, &[]);
        let [step] = &steps[..] else { panic!("{steps:?}") };
        let rule = "ip6 saddr fd00:1::/64 ip6 daddr != { fd00:2::/48, fe80::/10, fd00:ec2::254, \
                    fd20:ce::254, fd00:c1::a9fe:a9fe, fd00:42::42 } masquerade";
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
        struct Mute(Said);
        impl Tools for Mute {
            fn run(&self, _: &str, _: &[&str]) -> io::Result<Said> {
                Ok(self.0.clone())
            }
        }
        let looked = |well: bool, stderr: &str| {
            look(&Mute(Said { well, stderr: stderr.to_owned(), ..Said::default() }))
        };
        let refused =
            "Error: Could not process rule: Device or resource busy\nlist table\n     ^^^^^";
        let without_rights = "netlink: Error: cache initialization failed: Operation not permitted";
        for complaint in ["", refused, without_rights] {
            let error = looked(false, complaint).unwrap_err();
            assert!(matches!(error, LookError::Tool(_)), "{complaint}");
            let first = complaint.lines().next().unwrap_or_default();
            assert!(error.to_string().contains(first), "{error}");
        }
        assert!(matches!(looked(true, ""), Err(LookError::Astray { .. })));
        assert!(looked(false, ABSENT).unwrap().is_empty());
        let guess = format!("{ABSENT}; did you mean table \u{2018}ringfort\u{2019} in family ip?");
        assert!(looked(false, &guess).unwrap().is_empty());
    }
}
