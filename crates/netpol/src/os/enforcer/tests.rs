//! The enforcer with an nft of the test's own: what it is told is written down, and what it lists is what
//! the test says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ringfort_api::Heard as Object;
use ringfort_policy::{Outline, RuleSet, Set, WiderKind, replace};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::super::attached::{Attachment, Attachments};
use super::super::door::{Call, Reply};
use super::super::kept::Kept;
use super::super::listen::Heard;
use super::super::nft::Nft;
use super::super::refused::Refusal;
use super::super::state::{Kind, News};
use super::shown::{TOLD, to_tell};
use super::{Around, Enforcer, Hears};

const NFT: &str = r#"#!/bin/sh
room=${0%/*}
case "$*" in
    "-f -")
        cat >"$room/told"
        if [ -e "$room/refuses" ] && grep -q "$(cat "$room/refuses")" "$room/told"; then
            echo "Error: not today" >&2
            exit 1
        fi
        mv "$room/told" "$room/applied" ;;
    "-j list set inet ringfort-policy "*) cat "$room/sets" ;;
    "-j list table inet ringfort-policy" | "-j -t list table inet ringfort-policy")
        if [ ! -e "$room/table" ]; then
            echo "Error: No such file or directory" >&2
            exit 1
        fi
        cat "$room/table" ;;
    *)
        echo "Error: nobody asks that" >&2
        exit 1 ;;
esac
"#;

/// A machine of the test's own.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        room.write("nft", NFT);
        fs::set_permissions(room.at("nft"), fs::Permissions::from_mode(0o700)).unwrap();
        for setting in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
            room.write(setting, "1\n");
        }
        room.write("sets", &json!({"nftables": []}).to_string());
        room
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Says how many findings are kept.
    fn found(&self) -> u64 {
        Kept::new(self.0.path()).meddlings().times()
    }

    /// Gives what was told last and taken, and forgets it.
    fn applied(&self) -> String {
        let applied = self.read("applied");
        let _ = fs::remove_file(self.at("applied"));
        applied
    }

    /// Says what the kernel holds.
    fn holds(&self, outline: &Outline, rules: &RuleSet) {
        let elements = |set: &String| rules.sets.get(set).map_or(0, |set| set.elements.len());
        let mut all: Vec<Value> = Vec::new();
        for set in &outline.sets {
            let elements: Vec<usize> = (0..elements(set)).collect();
            all.push(json!({"set": {"name": set, "elem": elements}}));
        }
        for (chain, rules) in &outline.chains {
            all.push(json!({"chain": {"name": chain}}));
            all.extend((0..*rules).map(|_| json!({"rule": {"chain": chain}})));
        }
        match all.is_empty() {
            true => fs::remove_file(self.at("table")).unwrap_or_default(),
            false => self.write("table", &json!({"nftables": all}).to_string()),
        }
    }

    fn enforcer(&self) -> Enforcer {
        let told = json!({
            "node": "n1", "pods": ["10.1.1.0/24"], "allPods": ["10.1.0.0/16"], "closed": true,
        });
        let around = Around {
            nft: Nft::new(self.at("nft")),
            kept: Kept::new(self.0.path()),
            bridged: self.0.path().to_owned(),
            runs_pods: true,
        };
        let attachments = Attachments::read(&self.at("pods")).unwrap();
        Enforcer::new(&serde_json::from_value(told).unwrap(), attachments, around)
    }
}

/// Hears of all objects, of which one is a pod of the node.
fn heard(pod: &str) -> Hears {
    let (tell, news) = mpsc::unbounded_channel();
    let pod = json!({
        "metadata": {"namespace": "a", "name": "p", "uid": "u"},
        "spec": {"nodeName": "n1"}, "status": {"podIP": pod},
    });
    let namespace = json!({"metadata": {"name": "a"}});
    for kind in Kind::ALWAYS {
        tell.send((kind, News::Begin)).unwrap();
        if kind == Kind::Namespaces {
            let news = News::read(kind, &Object::Object(namespace.clone()));
            tell.send((kind, news.unwrap())).unwrap();
        }
        if kind == Kind::Pods {
            tell.send((kind, News::read(kind, &Object::Object(pod.clone())).unwrap())).unwrap();
        }
        tell.send((kind, News::Complete)).unwrap();
    }
    for kind in WiderKind::ALL {
        tell.send((Kind::Wider(kind), News::Absent(None))).unwrap();
    }
    let (_, touches) = mpsc::unbounded_channel();
    let (_, calls) = mpsc::channel(1);
    Hears { news, touches, calls }
}

pub(super) const POD: &str = "10.1.1.5";

fn is_closed(script: &str) -> bool {
    script.contains("@egress4_own counter drop") && !script.contains(POD)
}

/// Says that the kernel holds all that it was given.
fn whole(room: &Room, rules: &RuleSet) {
    room.holds(&Outline::of_rules(rules), rules);
}

/// An enforcer of a process before this one: it heard of a pod, kept what the kernel holds, and has ended.
/// Gives the rules that it left.
async fn ended(room: &Room) -> RuleSet {
    let mut before = room.enforcer();
    before.begin(&mut heard(POD)).await.unwrap();
    let rules = before.applied.clone().unwrap();
    whole(room, &rules);
    before.look().await;
    room.applied();
    rules
}

#[tokio::test]
async fn while_nobody_tells_what_should_be_what_is_taken_away_comes_back_closed() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.touched(Heard::Touched(None)).await;
    assert!(is_closed(&room.applied()), "nothing was put back");
    assert_eq!(room.found(), 1);
}

#[tokio::test]
async fn while_nobody_tells_what_should_be_what_was_in_force_comes_back() {
    let room = Room::new();
    let rules = ended(&room).await;
    let mut enforcer = room.enforcer();
    assert!(enforcer.is_enforced().await, "it is all there");
    enforcer.touched(Heard::Touched(None)).await;
    assert_eq!(room.applied(), replace(&rules));
    enforcer.touched(Heard::Touched(None)).await;
    assert_eq!(room.applied(), "", "that was our own transaction");
    enforcer.touched(Heard::Touched(None)).await;
    assert_eq!(room.applied(), replace(&rules), "what was kept is kept");
    // What is kept is never older than what is in force.
    enforcer.close().await.unwrap();
    assert_eq!(room.read("rules.nft"), "");
}

#[tokio::test]
async fn what_was_taken_away_while_no_enforcer_ran_is_back_before_the_api_is_heard() {
    let room = Room::new();
    let rules = ended(&room).await;
    // A flushed table has its chains, and packets pass them.
    let mut flushed = Outline::of_rules(&rules);
    flushed.chains.values_mut().for_each(|rules| *rules = 0);
    room.holds(&flushed, &rules);
    let mut enforcer = room.enforcer();
    assert!(enforcer.is_enforced().await);
    assert_eq!((room.applied(), room.found()), (replace(&rules), 1));
}

#[tokio::test]
async fn a_table_without_its_rules_is_none() {
    let room = Room::new();
    let mut flushed = Outline::of_rules(&room.enforcer().closed());
    room.holds(&flushed, &RuleSet::default());
    assert!(room.enforcer().is_enforced().await);
    flushed.chains.values_mut().for_each(|rules| *rules = 0);
    room.holds(&flushed, &RuleSet::default());
    assert!(!room.enforcer().is_enforced().await);
}

#[tokio::test]
async fn where_more_was_changed_than_is_heard_it_is_seen_what_is_missing() {
    let check = async |empty: fn(&mut Outline, &mut RuleSet), put_back: bool| {
        let room = Room::new();
        let mut enforcer = room.enforcer();
        enforcer.begin(&mut heard(POD)).await.unwrap();
        let mut rules = enforcer.applied.clone().unwrap();
        let mut outline = Outline::of_rules(&rules);
        empty(&mut outline, &mut rules);
        room.holds(&outline, &rules);
        room.applied();
        enforcer.touched(Heard::Overrun).await;
        assert_eq!(!room.applied().is_empty(), put_back);
    };
    check(|_, _| {}, false).await;
    check(|outline, _| outline.chains.values_mut().for_each(|rules| *rules = 0), true).await;
    check(|_, rules| rules.sets.values_mut().for_each(|set: &mut Set| set.elements.clear()), true)
        .await;
}

#[tokio::test]
async fn where_the_kernel_refuses_the_rules_the_node_is_closed_until_it_takes_them() {
    let room = Room::new();
    room.write("refuses", POD);
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    assert!(is_closed(&room.applied()));
    assert!(enforcer.dirty && enforcer.settle().await.is_err());
    fs::remove_file(room.at("refuses")).unwrap();
    enforcer.settle().await.unwrap();
    assert!(room.applied().contains(POD) && !enforcer.dirty);
}

#[tokio::test]
async fn what_could_not_be_put_back_is_tried_again() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    room.applied();
    room.write("refuses", "table");
    enforcer.touched(Heard::Touched(None)).await;
    enforcer.touched(Heard::Touched(None)).await;
    assert!(enforcer.lost);
    fs::remove_file(room.at("refuses")).unwrap();
    enforcer.put_back().await;
    assert!(room.applied().contains(POD) && !enforcer.lost);
}

#[tokio::test]
async fn rules_that_are_gone_without_a_word_are_put_back_at_the_next_look() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    let rules = enforcer.applied.clone().unwrap();
    whole(&room, &rules);
    room.applied();
    enforcer.look().await;
    assert_eq!((room.applied().as_str(), room.read("rules.nft")), ("", replace(&rules)));
    room.holds(&Outline::default(), &rules);
    enforcer.look().await;
    assert_eq!((room.applied(), enforcer.meddlings.times()), (replace(&rules), 1));
}

#[tokio::test]
async fn packets_that_cross_the_bridge_are_judged_again_or_no_pod_begins() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    room.write("bridge-nf-call-iptables", "0\n");
    enforcer.bridged();
    assert_eq!(
        (room.read("bridge-nf-call-iptables").as_str(), enforcer.meddlings.times()),
        ("1\n", 1)
    );
    assert_eq!(enforcer.unbridged, None);
    let setting = room.at("bridge-nf-call-ip6tables");
    fs::remove_file(&setting).unwrap();
    enforcer.bridged();
    assert!(enforcer.unbridged.as_ref().unwrap().contains("bridge-nf-call-ip6tables"));
    room.write("bridge-nf-call-ip6tables", "1\n");
    enforcer.bridged();
    assert!(enforcer.unbridged.is_none() && enforcer.dirty, "whoever waits is answered");
}

/// A connection to a port of the pod, refused.
pub(super) fn refusal(port: u16) -> Refusal {
    Refusal {
        way: "ingress".to_owned(),
        own: POD.parse().unwrap(),
        peer: "192.0.2.1".parse().unwrap(),
        protocol: "tcp".to_owned(),
        port,
    }
}

#[test]
fn no_more_refusals_are_told_at_a_time_than_somebody_reads() {
    let refused: BTreeMap<Refusal, u64> = (1..=50).map(|port| (refusal(port), 3)).collect();
    let (told, more) = to_tell(&refused, &BTreeSet::new(), None);
    assert_eq!((told.len(), more), (TOLD, 50 - TOLD));
    let known = refused.keys().filter(|it| it.port > 2).cloned().collect();
    let (told, more) = to_tell(&refused, &known, None);
    assert_eq!((told, more), (vec![(&refusal(1), 3), (&refusal(2), 3)], 0));
}

#[test]
fn pods_have_their_turn_and_what_was_not_told_comes_later() {
    let of = |last: u8, port: u16| Refusal {
        own: format!("10.1.1.{last}").parse().unwrap(),
        ..refusal(port)
    };
    // Thirty pods of which most refuse without end, and one that refused once.
    let many = (1..=30).flat_map(|last| (1..=100).map(move |port| (last, port)));
    let mut refused: BTreeMap<Refusal, u64> =
        many.map(|(last, port)| (of(last, port), 1)).collect();
    let quiet = of(200, 80);
    refused.insert(quiet.clone(), 1);
    let (mut told, mut behind) = (BTreeSet::new(), None);
    for _ in 0..2 {
        let (now, more) = to_tell(&refused, &told, behind);
        assert_eq!((now.len(), more), (TOLD, refused.len() - told.len() - TOLD));
        behind = now.last().map(|(refusal, _)| refusal.own);
        let now: Vec<Refusal> = now.into_iter().map(|(refusal, _)| refusal.clone()).collect();
        told.extend(now);
    }
    assert!(told.contains(&quiet), "{told:?}");
    let pods: BTreeSet<_> = told.iter().map(|it| it.own).collect();
    assert_eq!(pods.len(), 31, "each has had its turn");
}

#[tokio::test]
async fn who_refuses_is_who_decides() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    assert_eq!(enforcer.refused_by(&refusal(80)), ["the default of the cluster"]);
    let rule = |action: &str, port: u16| json!({"action": action, "from": [{"namespaces": {}}], "protocols": [{"tcp": {"destinationPort": {"number": port}}}]});
    let wider = json!({"metadata": {"name": "tenants"}, "spec": {
        "tier": "Admin", "priority": 1, "subject": {"namespaces": {}},
        "ingress": [rule("Accept", 1), rule("Pass", 80), rule("Deny", 90)],
    }});
    let policy = json!({
        "metadata": {"namespace": "a", "name": "closing"}, "spec": {"podSelector": {}},
    });
    let other = json!({
        "metadata": {"namespace": "a", "name": "other", "uid": "o"},
        "spec": {"nodeName": "n2"}, "status": {"podIP": "10.1.2.9"},
    });
    let now = tokio::time::Instant::now();
    for (kind, object) in
        [(Kind::Wider(WiderKind::Cluster), wider), (Kind::Policies, policy), (Kind::Pods, other)]
    {
        enforcer.state.take(kind, News::read(kind, &Object::Object(object)).unwrap(), now);
    }
    let from_pod = |port| Refusal { peer: "10.1.2.9".parse().unwrap(), ..refusal(port) };
    assert_eq!(enforcer.refused_by(&from_pod(80)), ["NetworkPolicy a/closing"]);
    assert_eq!(enforcer.refused_by(&from_pod(90)), ["ClusterNetworkPolicy tenants, ingress[2]"]);
    assert_eq!(enforcer.refused_by(&from_pod(1)), ["rules that were changed since"]);
}

#[tokio::test]
async fn of_many_policies_some_are_named_if_there_is_time_for_it() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    for number in 0..7 {
        let policy = json!({
            "metadata": {"namespace": "a", "name": format!("p{number}")},
            "spec": {"podSelector": {}, "egress": [{}]},
        });
        let news = News::read(Kind::Policies, &Object::Object(policy)).unwrap();
        enforcer.state.take(Kind::Policies, news, tokio::time::Instant::now());
    }
    let by = enforcer.refused_by(&refusal(80)).join(", ");
    assert!(by.starts_with("NetworkPolicy a/p0, "), "{by}");
    assert!(by.ends_with("NetworkPolicy a/p4, and 2 more"), "{by}");
    let (refused, now) = (BTreeMap::from([(refusal(80), 3)]), std::time::Instant::now());
    enforcer.count(&refused, &[], now);
    assert_eq!(enforcer.tally.by(&refusal(80)), None);
    enforcer.count(&refused, &[], now + std::time::Duration::from_secs(3_600));
    assert_eq!(enforcer.tally.by(&refusal(80)), Some(by.as_str()));
    // It is looked up anew when rules have changed, and not as often as they are made.
    let changes = enforcer.changes;
    enforcer.settle().await.unwrap();
    enforcer.settle().await.unwrap();
    assert_eq!(enforcer.changes, changes + 1);
}

#[tokio::test]
async fn a_namespace_that_takes_too_much_is_told_until_it_takes_less() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    let now = tokio::time::Instant::now();
    for number in 0..1_000 {
        let name = format!("n2-{number}");
        let pod = json!({
            "metadata": {"namespace": "a", "name": name, "uid": name, "labels": {"name": name}},
            "spec": {"nodeName": "n2"},
            "status": {"podIP": format!("10.1.{}.{}", 2 + number / 250, 2 + number % 250)},
        });
        let news = News::read(Kind::Pods, &Object::Object(pod)).unwrap();
        enforcer.state.take(Kind::Pods, news, now);
    }
    // Each part one pod from all others.
    let rule = |number: usize| {
        let not = json!([{"key": "name", "operator": "NotIn", "values": [format!("n2-{number}")]}]);
        json!({"from": [{"podSelector": {"matchExpressions": not}}], "ports": [{"port": 1 + 2 * number}]})
    };
    for (rules, told) in [(900, 1), (1, 0)] {
        let ingress: Value = (0..rules).map(rule).collect();
        let policy = json!({
            "metadata": {"namespace": "a", "name": "heavy"}, "spec": {"podSelector": {}, "ingress": ingress},
        });
        let news = News::read(Kind::Policies, &Object::Object(policy)).unwrap();
        enforcer.state.take(Kind::Policies, news, now);
        enforcer.settle().await.unwrap();
        let trouble = enforcer.shown().await.unwrap().trouble;
        assert_eq!(trouble.len(), told, "{trouble:?}");
        assert!(trouble.iter().all(|it| it.contains("of namespace a close and open nothing")));
        // What is explained goes by it as well.
        let by = enforcer.refused_by(&Refusal { peer: "10.1.2.9".parse().unwrap(), ..refusal(1) });
        let expected =
            if told == 1 { "NetworkPolicy a/heavy" } else { "rules that were changed since" };
        assert_eq!(by, [expected]);
    }
}

#[tokio::test]
async fn where_rules_were_in_force_and_nothing_of_them_is_left_the_node_is_closed_at_once() {
    let room = Room::new();
    ended(&room).await;
    // The process ended in the middle of a change, and the table went before the next one began.
    fs::remove_file(room.at("rules.nft")).unwrap();
    room.holds(&Outline::default(), &RuleSet::default());
    let mut enforcer = room.enforcer();
    // The API says nothing: what is told within the time of grace is what was told at once.
    let (_tell, news) = mpsc::unbounded_channel();
    let mut silent = Hears { news, ..heard(POD) };
    let begins = enforcer.begin(&mut silent);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(500), begins).await.is_err());
    assert!(is_closed(&room.applied()));
}

#[tokio::test]
async fn what_others_change_again_and_again_waits_until_the_machine_has_rested() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    let label = |enforcer: &mut Enforcer, node: &str, value: &str| {
        let object = json!({
            "metadata": {"namespace": "a", "name": node, "uid": node, "labels": {"is": value}},
            "spec": {"nodeName": node}, "status": {"podIP": "10.1.2.9"},
        });
        enforcer.take(Kind::Pods, News::read(Kind::Pods, &Object::Object(object)).unwrap());
    };
    let hour = std::time::Duration::from_secs(3_600);
    enforcer.rested = tokio::time::Instant::now() + hour;
    label(&mut enforcer, "n2", "x");
    assert!(enforcer.dirty && enforcer.rests());
    label(&mut enforcer, "n1", "x");
    assert!(!enforcer.rests(), "a pod of the node itself is changed");
    enforcer.settle().await.unwrap();
    assert!(enforcer.rested < tokio::time::Instant::now() + hour, "no rest is as long");
    enforcer.rested = tokio::time::Instant::now() + hour;
    label(&mut enforcer, "n2", "y");
    assert!(enforcer.rests());
    let _answer = begins(&mut enforcer).await;
    assert!(!enforcer.rests(), "a pod waits");
}

#[tokio::test]
async fn no_pod_begins_while_any_kind_is_behind() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    for kind in Kind::all() {
        for (news, lasting) in [
            (vec![News::Trouble("away".to_owned())], News::Complete),
            (vec![News::Begin], News::Complete),
            (vec![News::Trouble("away".to_owned()), News::Begin], News::Complete),
            (vec![News::Trouble("away".to_owned())], News::Listening),
        ] {
            let is_list = matches!(lasting, News::Complete);
            // A list that is told whole holds what it held.
            let mut all = heard(POD);
            let mut told = Vec::new();
            while let Ok((of, news)) = all.news.try_recv() {
                if of == kind && !matches!(news, News::Begin | News::Absent(_)) {
                    told.push(news);
                }
            }
            let now = tokio::time::Instant::now();
            for news in news {
                enforcer.state.take(kind, news, now);
            }
            let mut answer = begins(&mut enforcer).await;
            enforcer.settle().await.unwrap();
            assert!(answer.try_recv().is_err(), "{kind:?}");
            assert!(enforcer.shown().await.unwrap().behind.is_some(), "it is told");
            if is_list {
                enforcer.state.take(kind, News::Begin, now);
                told.into_iter().for_each(|news| {
                    enforcer.state.take(kind, news, now);
                });
                if matches!(kind, Kind::Wider(_)) {
                    enforcer.state.take(kind, News::Complete, now);
                }
            } else {
                enforcer.state.take(kind, lasting, now);
                enforcer.settle().await.unwrap();
                assert!(answer.try_recv().is_err(), "what was missed comes first");
                assert!(enforcer.state.passed(now + std::time::Duration::from_secs(5)));
            }
            enforcer.settle().await.unwrap();
            assert!(matches!(answer.try_recv(), Ok(Reply::Done)), "{kind:?}");
            assert_eq!(enforcer.shown().await.unwrap().behind, None);
        }
    }
}

#[tokio::test]
async fn a_pod_of_a_namespace_that_is_not_heard_of_waits_for_it() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    enforcer.state.world.namespaces.clear();
    let mut answer = begins(&mut enforcer).await;
    enforcer.settle().await.unwrap();
    assert!(answer.try_recv().is_err());
}

/// Asks for a pod to begin.
async fn begins(enforcer: &mut Enforcer) -> oneshot::Receiver<Reply> {
    let text = |text: &str| text.to_owned();
    let attachment = Attachment {
        container: text("c"),
        namespace: text("a"),
        name: text("p"),
        uid: text("u"),
        addresses: vec![POD.parse().unwrap()],
    };
    let (answer, answered) = oneshot::channel();
    enforcer.called(Call::Attach(attachment), answer).await;
    answered
}

#[tokio::test]
async fn what_was_counted_is_kept_when_rules_are_put_back() {
    let room = Room::new();
    let mut enforcer = room.enforcer();
    enforcer.begin(&mut heard(POD)).await.unwrap();
    let counts = |packets: u64| {
        let element = json!({"elem": {"val": POD, "counter": {"packets": packets, "bytes": 1}}});
        let listed =
            json!({"nftables": [{"set": {"name": "ingress4_refused", "elem": [element]}}]});
        room.write("sets", &listed.to_string());
    };
    counts(7);
    let ingress = async |enforcer: &mut Enforcer| {
        enforcer.shown().await.unwrap().pods[0].ingress.refused_packets
    };
    assert_eq!(ingress(&mut enforcer).await, 7);
    enforcer.put_back().await;
    counts(2);
    assert_eq!(ingress(&mut enforcer).await, 9);
    // Of whom nobody is counted any more, nothing is kept.
    enforcer.put_back().await;
    enforcer.state.world.pods.clear();
    enforcer.settle().await.unwrap();
    assert!(enforcer.carried.is_empty());
}
