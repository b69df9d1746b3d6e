//! The `cluster.yaml` of a lab: what a person would write to put a cluster on its machines. Pure.

use std::path::Path;

use ringfort_model::name::NodeName;
use ringfort_model::net::Family;

use crate::places::Home;
use crate::record::Record;
use crate::shape::{Machine, Role};

/// Writes the specification of a cluster on all machines of a lab.
///
/// `kubernetes` is a minor or a full version and `waived_until` a date (`2027-01-31`), both taken as
/// they are. `release` is what the host's kernel calls itself (`6.1.0-50-amd64`).
pub(crate) fn cluster_yaml(
    record: &Record,
    home: &Home,
    release: &str,
    (kubernetes, waived_until): (&str, &str),
) -> String {
    let lab = &record.name;
    format!(
        "# A cluster on the machines of lab {lab}; use it with: ringfort lab run {lab} -- ringfort up\n\
         apiVersion: ringfort.dev/v1\n\
         kind: Cluster\n\
         name: {lab}\n\
         kubernetes: \"{kubernetes}\"\n\
         controlPlanes:\n{control_planes}\
         workers:\n{workers}\
         ssh:\n  user: root\n  identity: {identity}\n  knownHosts: {known_hosts}\n\
         {runtime}\
         waivers:\n{waivers}",
        control_planes = hosts(record, Role::ControlPlane),
        workers = hosts(record, Role::Worker),
        identity = quoted(&home.identity()),
        known_hosts = quoted(&home.known_hosts()),
        runtime = runtime(record),
        waivers = waivers(record, release, waived_until),
    )
}

/// What machines that share the host's kernel cannot have that the default asks for.
const RUNTIME: [&str; 4] = [
    "cgroupDriver: cgroupfs",
    "failCgroupV1: false",
    "restrictOomScoreAdj: true",
    "appArmor: false",
];

const SHARED_KERNEL: &str =
    "# Machines of a lab share the host's kernel: control groups and AppArmor are not their own.\n";

/// Says it once where it is true of all machines; else each of them says it.
fn runtime(record: &Record) -> String {
    match record.virtual_machines {
        Some(_) => String::new(),
        None => format!("{SHARED_KERNEL}runtime:\n  {}\n", RUNTIME.join("\n  ")),
    }
}

fn hosts(record: &Record, role: Role) -> String {
    let own = |machine: &Machine| match record.virtual_machines {
        Some(_) if record.made_virtual(&machine.name).is_none() => {
            format!(", runtime: {{ {} }}", RUNTIME.join(", "))
        }
        _ => String::new(),
    };
    let line = |machine: &Machine| {
        let (address, name) = (address(machine), &machine.name);
        format!("  - {{ address: {address}, name: {name}{} }}\n", own(machine))
    };
    record.shape.machines().iter().filter(|machine| machine.role == role).map(line).collect()
}

/// Writes a machine's address. Readers of YAML differ in what they make of colons.
fn address(machine: &Machine) -> String {
    match Family::of(machine.address) {
        Family::V4 => machine.address.to_string(),
        Family::V6 => format!("\"{}\"", machine.address),
    }
}

fn waivers(record: &Record, release: &str, until: &str) -> String {
    let shape = record.shape;
    let machines = shape.machines();
    let names = machines.iter().map(|machine| &machine.name);
    let sharing: Vec<&str> =
        names.filter(|name| record.made_virtual(name).is_none()).map(NodeName::as_str).collect();
    let scope = match record.virtual_machines {
        Some(_) => format!("scope: {{ nodes: [{}] }}, ", sharing.join(", ")),
        None => String::new(),
    };
    let old = "this host's kernel maps no users of a tmpfs, where tokens of pods are";
    let no_apparmor = "machines of a lab have no AppArmor of their own";
    let waived = [
        (!sharing.is_empty(), "node/apparmor", scope.as_str(), no_apparmor),
        (!sharing.is_empty() && !maps_tmpfs(release), "workload/user-namespaces", "", old),
        (shape.control_planes() < 3, "ha/three-control-planes", "", "a small lab"),
        (shape.workers() < 3, "ha/three-workers", "", "a small lab"),
    ];
    let line = |(_, control, scope, reason): &(bool, &str, &str, &str)| {
        format!(
            "  - {{ control: {control}, {scope}reason: {reason}, owner: whoever runs the lab, \
             expires: {until} }}\n"
        )
    };
    waived.iter().filter(|(needed, ..)| *needed).map(line).collect()
}

/// Says whether a kernel maps the users of a tmpfs, which it does from 6.3 on.
fn maps_tmpfs(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (6, 3),
        _ => false,
    }
}

/// Writes a path as a text that YAML reads as it stands; JSON's texts are YAML's.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ringfort_model::name::NodeName;
    use ringfort_model::net::Family;

    use super::cluster_yaml;
    use crate::places::Home;
    use crate::record::Record;
    use crate::shape::Shape;
    use crate::virtual_machine::{Acceleration, VirtualMachines};

    fn text(control_planes: u8, workers: u8) -> String {
        written(control_planes, workers, &[])
    }

    fn written(control_planes: u8, workers: u8, names: &[&str]) -> String {
        on("6.18.5", control_planes, workers, names)
    }

    fn on(release: &str, control_planes: u8, workers: u8, names: &[&str]) -> String {
        of(Shape::new(control_planes, workers).unwrap(), release, names)
    }

    fn of(shape: Shape, release: &str, names: &[&str]) -> String {
        let home = Home::new(PathBuf::from("/labs/a"));
        let mut record = Record::new("a".parse().unwrap(), shape, PathBuf::from("/base"), None);
        record.virtual_machines = (!names.is_empty()).then(|| VirtualMachines {
            names: names.iter().map(|name| NodeName::new(*name).unwrap()).collect(),
            memory_mebibytes: 2048,
            acceleration: Acceleration::Emulation,
            image: PathBuf::from("/image"),
        });
        cluster_yaml(&record, &home, release, ("1.37", "2027-01-31"))
    }

    #[test]
    fn names_every_machine_and_the_labs_keys() {
        let expected = "\
apiVersion: ringfort.dev/v1
kind: Cluster
name: a
kubernetes: \"1.37\"
controlPlanes:
  - { address: 10.77.0.11, name: cp1 }
workers:
  - { address: 10.77.0.21, name: w1 }
  - { address: 10.77.0.22, name: w2 }
ssh:
  user: root
  identity: \"/labs/a/ssh/id_ed25519\"
  knownHosts: \"/labs/a/ssh/known_hosts\"
";
        assert!(text(1, 2).contains(expected), "{}", text(1, 2));
    }

    #[test]
    fn addresses_of_ipv6_are_quoted() {
        let text = of(Shape::new(1, 1).unwrap().over(Family::V6), "6.18.5", &[]);
        for line in [
            "  - { address: \"fd00:10:77::11\", name: cp1 }\n",
            "  - { address: \"fd00:10:77::21\", name: w1 }\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let shape = Shape::new(1, 1).unwrap();
        let written = |family| of(shape.over(family), "6.18.5", &[]).lines().count();
        assert_eq!(written(Family::V4), written(Family::V6), "nothing else differs");
    }

    #[test]
    fn waives_what_a_lab_cannot_have_and_no_more() {
        let waived = |text: String| -> Vec<String> {
            let controls = text.lines().filter_map(|line| line.split_once("control: "));
            controls.map(|(_, rest)| rest[..rest.find(',').unwrap()].to_owned()).collect()
        };
        assert_eq!(waived(text(3, 3)), ["node/apparmor"]);
        for old in ["6.1.0-50-amd64", "5.15.0", "odd"] {
            let expected = ["node/apparmor", "workload/user-namespaces"];
            assert_eq!(waived(on(old, 3, 3, &[])), expected, "{old}");
        }
        assert_eq!(waived(on("6.1.0", 1, 1, &["cp1", "w1"])).len(), 2, "theirs is their own");
        assert_eq!(
            waived(text(1, 2)),
            ["node/apparmor", "ha/three-control-planes", "ha/three-workers"]
        );
    }

    #[test]
    fn virtual_machines_are_as_the_default_has_them() {
        let text = written(1, 2, &["w2"]);
        let shared = "runtime: { cgroupDriver: cgroupfs, failCgroupV1: false, \
                      restrictOomScoreAdj: true, appArmor: false }";
        for line in [
            &format!("  - {{ address: 10.77.0.11, name: cp1, {shared} }}\n"),
            &format!("  - {{ address: 10.77.0.21, name: w1, {shared} }}\n"),
            "  - { address: 10.77.0.22, name: w2 }\n",
            "control: node/apparmor, scope: { nodes: [cp1, w1] }, ",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("\nruntime:"), "{text}");
        assert!(!written(1, 1, &["cp1", "w1"]).contains("apparmor"));
    }

    #[test]
    fn the_spec_reads_it() {
        let today = jiff::civil::date(2027, 1, 1);
        for (control_planes, workers, virtual_machines) in
            [(3, 3, [].as_slice()), (1, 2, &[]), (5, 1, &[]), (3, 3, &["cp3", "w3"])]
        {
            for family in [Family::V4, Family::V6] {
                let shape = Shape::new(control_planes, workers).unwrap().over(family);
                let text = of(shape, "6.18.5", virtual_machines);
                let read = ringfort_spec::read(&text, "cluster.yaml", &[], today);
                let nodes = read.map(|it| it.nodes.len()).map_err(|report| format!("{report:?}"));
                assert_eq!(nodes, Ok(usize::from(control_planes + workers)), "{text}");
            }
        }
    }
}
