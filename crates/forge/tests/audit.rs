//! What a site adds to what is looked for in logs, and where it has findings told, in the blueprint.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{lock, spec_with};
use ringfort_controls::audit::policy_is_set::blind_spots;
use ringfort_controls::audit::site::{self, NONE, SiteFiles};
use ringfort_controls::paths::FINDINGS_TOKEN;
use ringfort_forge::render::{Materials, render, sample_trust};
use ringfort_model::blueprint::{Blueprint, Role};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::mode::FileMode;
use ringfort_model::version::Minor;
use serde_json::json;

/// Gives the text of a file of the first machine that has it.
fn text<'b>(blueprint: &'b Blueprint, path: &str) -> &'b str {
    let find = |machine: &'b ringfort_model::blueprint::Machine| match &machine
        .items
        .get(&ItemId::file(path))?
        .what
    {
        What::File { content: Content::Text(text), .. } => Some(text.as_str()),
        _ => None,
    };
    blueprint.machines.values().find_map(find).unwrap()
}

/// A site that adds all there is, and tells everywhere.
const SITE: &str = "audit:\n  keepDays: 30\n  tell:\n    machineLog: true\n    metrics: true\n    \
                    webhook: { url: 'https://siem.example.com/a%20b', address: 10.0.0.50, ca: c, token: t }\n    \
                    syslog: { address: 10.0.0.51:6514, name: logs.example.com, ca: c }\n";

fn with_site(more: &str, site: &SiteFiles) -> Blueprint {
    let lock = lock(Minor::V1_37);
    let materials = Materials { bundle: &lock, ringfort: Digest::of(b"r"), addons: &[], site };
    let spec = spec_with(Minor::V1_37, more);
    render(&spec, &sample_trust(&spec).unwrap(), &materials).unwrap()
}

fn started(blueprint: &Blueprint, unit: &str) -> String {
    let unit = text(blueprint, &format!("/etc/systemd/system/{unit}.service"));
    unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap().to_owned()
}

#[test]
fn what_a_site_adds_is_on_control_planes_alone_and_its_units_are_told() {
    let texts = [
        (site::WEBHOOK_CA, "ca"),
        (site::SYSLOG_CA, "ca"),
        (site::OWN, "own"),
        (site::WAIVERS, "waivers"),
        ("/etc/kubernetes/audit-site/feeds/decoys.txt", "secrets a/b"),
    ];
    let texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    let token = Some(Digest::of(b"hidden"));
    let files = SiteFiles { texts, token, ..SiteFiles::default() };
    let blueprint = with_site(SITE, &files);
    let asks = "--feeds /etc/kubernetes/audit-site/feeds --own /etc/kubernetes/audit-site/own.yaml --waivers \
                /etc/kubernetes/audit-site/waivers.yaml";
    let collects = started(&blueprint, "ringfort-collect");
    assert!(collects.ends_with(&format!("--keep-days 30 --keep-mib 4096 {asks}")), "{collects}");
    let tells = started(&blueprint, "ringfort-tell");
    for argument in [
        " audit follow --found --store /var/lib/ringfort-audit --cursor /var/lib/ringfort-tell/cursor --syslog \
         --source cp-",
        " --metrics /var/lib/ringfort-metrics/ringfort.prom --spool /var/lib/ringfort-tell",
        " --webhook https://siem.example.com/a%%20b --webhook-address 10.0.0.50 --webhook-ca",
        " --webhook-token /etc/kubernetes/audit-site/webhook-token",
        " --syslog-server 10.0.0.51:6514 --syslog-name logs.example.com --syslog-ca",
    ] {
        assert!(tells.contains(argument), "{argument}: {tells}");
    }
    for machine in blueprint.machines.values() {
        let is_there = |path: &str| machine.items.contains_key(&ItemId::file(path));
        let is_control_plane = machine.role == Role::ControlPlane;
        for path in [FINDINGS_TOKEN, site::OWN, "/etc/systemd/system/ringfort-tell.service"] {
            assert_eq!(is_there(path), is_control_plane, "{path}");
        }
        let below = |(id, _): &(&ItemId, &Item)| id.to_string().contains("/audit-site/");
        for (id, item) in machine.items.iter().filter(below) {
            let private = match &item.what {
                What::File { mode, .. } => *mode == FileMode(0o600),
                What::Directory { mode, .. } => *mode == FileMode(0o700),
                _ => false,
            };
            assert!(private, "{id}");
        }
    }
    // A unit that reads another file is another one.
    let unit = |files: &SiteFiles, name: &str| {
        let blueprint = with_site(SITE, files);
        let machine = blueprint.machines.into_values().next().unwrap();
        machine.items[&ItemId::unit(format!("{name}.service"))].what.clone()
    };
    let other = SiteFiles {
        texts: files.texts.clone(),
        token: Some(Digest::of(b"another")),
        ..SiteFiles::default()
    };
    assert_ne!(unit(&files, "ringfort-tell"), unit(&other, "ringfort-tell"));
    assert_eq!(unit(&files, "ringfort-collect"), unit(&other, "ringfort-collect"));
}

#[test]
fn what_tells_findings_is_there_where_they_are_told_and_has_a_network_where_it_needs_one() {
    let path = "/etc/systemd/system/ringfort-tell.service";
    let quiet = with_site("", &NONE);
    let mut machines = quiet.machines.values();
    assert!(machines.all(|machine| !machine.items.contains_key(&ItemId::file(path))));
    let local = with_site("audit: { tell: { machineLog: true } }\n", &NONE);
    let unit = text(&local, path);
    assert!(
        unit.contains("RestrictAddressFamilies=AF_UNIX\n") && !unit.contains("--spool"),
        "{unit}"
    );
    let udp = "audit: { tell: { syslog: { address: 10.0.0.51:514, transport: udp } } }\n";
    let unit = with_site(udp, &NONE);
    let unit = text(&unit, path);
    assert!(unit.contains("RestrictAddressFamilies=AF_UNIX AF_INET\n"), "{unit}");
    assert!(unit.contains("--syslog-server 10.0.0.51:514 --syslog-udp\n"), "{unit}");
}

/// Where a receiver is away for longer, clusters are handed over without it, and everybody else goes on being told.
#[test]
fn a_waiver_of_being_told_takes_nothing_away() {
    let waiver = "waivers:\n  - { control: audit/findings-are-told, reason: r, owner: o, expires: 2027-01-31 }\n";
    let waived = with_site(&format!("{SITE}{waiver}"), &NONE);
    assert_eq!(
        started(&waived, "ringfort-tell"),
        started(&with_site(SITE, &NONE), "ringfort-tell")
    );
}

/// Each control plane sees one other and is seen by one other, and following them one comes to all of them.
#[test]
fn witnesses_are_one_ring_and_hear_nobody_else() {
    let blueprint = with_site("", &NONE);
    let unit = ItemId::file("/etc/systemd/system/ringfort-witness.service");
    let told = |text: &str, flag: &str| {
        let (_, rest) = text.split_once(flag).unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let mut ring = std::collections::BTreeMap::new();
    for (name, machine) in &blueprint.machines {
        let Some(item) = machine.items.get(&unit) else {
            assert_eq!(machine.role, Role::Worker, "{name}");
            continue;
        };
        let What::File { content: Content::Text(text), .. } = &item.what else { panic!("{name}") };
        assert_eq!(told(text, " --listen "), format!("{}:6445", machine.address));
        let (shows, hears) = (told(text, " --shows "), told(text, " --hears "));
        let (shows, at) = shows.split_once('=').unwrap();
        let other = &blueprint.machines[&ringfort_model::name::NodeName::new(shows).unwrap()];
        assert_eq!(at, format!("{}:6445", other.address));
        ring.insert(name.to_string(), (shows.to_owned(), hears));
        let request = match &machine.items[&ItemId::file("/etc/kubernetes/witness/own.crt")].what {
            What::File { content: Content::Issued(request), .. } => request,
            other => panic!("{other:?}"),
        };
        assert_eq!(request.subject.to_string(), format!("CN=ringfort:witness:{name}"));
        assert_eq!(request.names.len(), 1, "its own address and nothing else");
    }
    let begin = ring.keys().next().unwrap().clone();
    let (mut at, mut count) = (begin.clone(), 0);
    loop {
        let next = ring[&at].0.clone();
        assert_eq!(ring[&next].1, at, "{next} hears whoever shows it something");
        (at, count) = (next, count + 1);
        if at == begin {
            break;
        }
    }
    assert_eq!((count, ring.len()), (3, 3));
}

/// Each control plane reads what all others keep, and its collector waits for just these.
#[test]
fn each_control_plane_judges_with_all_others() {
    let blueprint = with_site("", &NONE);
    let planes = blueprint.machines.iter().filter(|(_, it)| it.role == Role::ControlPlane);
    let planes: Vec<_> = planes.map(|(name, machine)| (name.to_string(), machine)).collect();
    for (name, machine) in &planes {
        let unit = |unit: &str| match &machine.items[&ItemId::file(unit)].what {
            What::File { content: Content::Text(text), .. } => text.as_str(),
            other => panic!("{other:?}"),
        };
        let others = || planes.iter().filter(|(other, _)| other != name);
        let witness = unit("/etc/systemd/system/ringfort-witness.service");
        let reads = others().map(|(it, at)| format!(" --reads {it}={}:6445", at.address));
        let reads: String =
            reads.chain([" --together /run/ringfort-together\n".to_owned()]).collect();
        assert!(witness.contains(&reads), "{witness}");
        let collects = unit("/etc/systemd/system/ringfort-collect.service");
        let waits: String = others().map(|(it, _)| format!(" --others {it}")).collect();
        let waits = format!(" --together /run/ringfort-together{waits} --keep-days");
        assert!(collects.contains(&waits), "{collects}");
        for text in [witness, collects] {
            assert!(text.contains("\nRuntimeDirectory=ringfort-together\n"), "{text}");
        }
    }
    assert_eq!(planes.len(), 3);
}

#[test]
fn the_policy_feeds_detections_of_a_site() {
    let own = json!({"detections": [{
        "id": "own/lease-read", "title": "t", "severity": "low", "because": "b",
        "needs": [{"verbs": ["get"], "resources": ["shelves.library.example.com"], "bodies": true}],
        "where": "true",
        "examples": {
            "found": [[{"verb": "get", "of": "library.example.com:shelves a/b"}]],
            "quiet": [[{"verb": "list", "of": "library.example.com:shelves a/b"}]],
        },
    }]});
    let own = ringfort_audit::own::read(&own).unwrap();
    let files = SiteFiles { own, ..SiteFiles::default() };
    let policy = "/etc/kubernetes/audit/policy.yaml";
    let (with, without) = (with_site("", &files), with_site("", &NONE));
    assert!(text(&with, policy).contains("shelves") && !text(&without, policy).contains("shelves"));
}

/// What people are told is not written down is what servers were told not to.
#[test]
fn blind_spots_are_those_of_the_policy_that_servers_have() {
    let own = json!({"detections": [{
        "id": "own/lease-read", "title": "t", "severity": "low", "because": "b",
        "needs": [{
            "verbs": ["get", "update"], "resources": ["leases.coordination.k8s.io"], "components": true,
        }],
        "where": "true",
        "examples": {
            "found": [[{"verb": "get", "of": "coordination.k8s.io:leases a/b"}]],
            "quiet": [[{"verb": "list", "of": "coordination.k8s.io:leases a/b"}]],
        },
    }]});
    let own = ringfort_audit::own::read(&own).unwrap();
    let files = SiteFiles { own, ..SiteFiles::default() };
    let policy = "/etc/kubernetes/audit/policy.yaml";
    let spots = |site: &SiteFiles| {
        let spots = blind_spots(&site.own);
        let blueprint = with_site("", site);
        let quiet = text(&blueprint, policy).matches("level: None").count();
        assert_eq!((spots.len(), spots.is_empty()), (quiet, false), "{spots:?}");
        spots
    };
    let leases = |spots: Vec<String>| spots.iter().filter(|why| why.contains("lease")).count();
    assert!(leases(spots(&files)) < leases(spots(&NONE)));
}
