//! What the kernel makes of rules. Needs root and nft; runs only when asked for with `RINGFORT_E2E=1`.

#![allow(clippy::unwrap_used, reason = "all of this is a test, though without the usual harness")]

mod bridge;
#[path = "../../../policy/tests/it/chance.rs"]
mod chance;
mod messages;
mod namespace;
#[path = "../../../policy/tests/it/objects.rs"]
mod objects;
mod packets;
#[path = "../../../policy/tests/it/random.rs"]
mod random;
#[path = "../../../policy/tests/it/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{ExitCode, Stdio};

use ringfort_policy::{Outline, RuleSet, change, compile, replace};
use serde_json::Value;

use crate::chance::Chance;
use crate::namespace::Namespace;
use crate::random::cluster;
use crate::world::{home, world};

impl Namespace {
    fn nft(&self, arguments: &[&str], script: &str) -> String {
        let mut nft = self
            .inside("nft")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        nft.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let said = nft.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{complaint}\n{script}");
        String::from_utf8(said.stdout).unwrap()
    }

    /// Gives what the table holds, sets before chains and each in order of names.
    fn listed(&self) -> Vec<String> {
        let text = self.nft(&["-s", "list", "table", "inet", "ringfort-policy"], "");
        let text = text.trim_end().strip_suffix('}').unwrap();
        let mut blocks: Vec<String> = text.split("\n\n").map(|it| sorted(it.trim())).collect();
        blocks.sort();
        blocks
    }
}

/// Gives the outline of what the kernel holds, and how many elements each set has, as nft lists them.
fn held(room: &Namespace) -> (Outline, BTreeMap<String, usize>) {
    let listed = room.nft(&["-j", "list", "table", "inet", "ringfort-policy"], "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let (mut outline, mut elements) = (Outline::default(), BTreeMap::new());
    for entry in listed["nftables"].as_array().unwrap() {
        let name = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
        if let Some(chain) = entry.get("chain") {
            outline.chains.entry(name(chain, "name")).or_default();
        } else if let Some(rule) = entry.get("rule") {
            *outline.chains.entry(name(rule, "chain")).or_default() += 1;
        } else if let Some(set) = entry.get("set").or(entry.get("map")) {
            outline.sets.insert(name(set, "name"));
            elements.insert(name(set, "name"), set["elem"].as_array().map_or(0, Vec::len));
        }
    }
    (outline, elements)
}

/// What the enforcer compares: were it to see less, or more, it would put rules back for ever.
fn it_is_seen_whole(room: &Namespace, rules: &RuleSet, seed: u64) {
    let (outline, elements) = held(room);
    assert_eq!(outline, Outline::of_rules(rules), "seed {seed}");
    assert_eq!(Outline::of_script(&replace(rules)), outline, "seed {seed}");
    for (name, set) in &rules.sets {
        assert_eq!(elements[name], set.elements.len(), "seed {seed}, {name}");
    }
}

/// Puts elements in order: hashes keep none.
fn sorted(block: &str) -> String {
    let Some((before, rest)) = block.split_once("elements = {") else { return block.to_owned() };
    let (elements, after) = rest.split_once('}').unwrap();
    let mut elements: Vec<&str> = elements.split(',').map(str::trim).collect();
    elements.sort_unstable();
    format!("{before}{}{after}", elements.join(", "))
}

fn rules(seed: u64) -> RuleSet {
    let mut chance = Chance::new(seed);
    let cluster = cluster(&mut chance);
    compile(&world(&cluster, chance.once_in(2)), &home(1))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => packets::serve(),
        ["dial", server] => packets::dial(server),
        ["hear"] => bridge::hear(),
        ["say", from, to, word] => bridge::say(from, to, word),
        ["whisper", from, to, kind, about, eights, word] => {
            messages::whisper([from, to], kind, about, eights, word);
        }
        _ => return tests(),
    }
    ExitCode::SUCCESS
}

fn tests() -> ExitCode {
    let all: [fn(); 4] = [
        changes_make_what_a_new_table_would_be,
        packets::packets_go_as_the_rules_say,
        bridge::what_no_policy_can_name_does_not_come_through,
        bridge::neighbours_of_ipv6_find_each_other_and_say_nothing_else,
    ];
    if std::env::var_os("RINGFORT_E2E").is_none() {
        println!("skipped: the kernel's own reading needs root and nft; set RINGFORT_E2E=1");
        println!("0 passed, 0 failed, {} skipped", all.len());
        return ExitCode::SUCCESS;
    }
    let failed = all.iter().filter(|test| std::panic::catch_unwind(**test).is_err()).count();
    println!("{} passed, {failed} failed, 0 skipped", all.len() - failed);
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn changes_make_what_a_new_table_would_be() {
    let (changed, new) = (Namespace::new(), Namespace::new());
    changed.nft(&["-f", "-"], &replace(&rules(0)));
    for seed in 1..40 {
        if let Some(script) = change(&rules(seed - 1), &rules(seed)) {
            changed.nft(&["-f", "-"], &script);
        }
        new.nft(&["-f", "-"], &replace(&rules(seed)));
        it_is_seen_whole(&changed, &rules(seed), seed);
        let (changed, new) = (changed.listed(), new.listed());
        let only = |some: &[String], other: &[String]| -> Vec<String> {
            some.iter().filter(|block| !other.contains(block)).cloned().collect()
        };
        let none = Vec::<String>::new();
        assert_eq!(
            (only(&changed, &new), only(&new, &changed)),
            (none.clone(), none),
            "seed {seed}"
        );
    }
}
