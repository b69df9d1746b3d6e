//! The `cluster.yaml` of a lab: what a person would write to put a cluster on its machines. Pure.

use std::path::Path;

use crate::name::LabName;
use crate::places::Home;
use crate::shape::{Machine, Role, Shape};

/// Writes the specification of a cluster on all machines of a lab.
///
/// `kubernetes` is a minor or a full version and `waived_until` a date (`2027-01-31`), both taken as
/// they are.
pub(crate) fn cluster_yaml(
    lab: &LabName,
    shape: Shape,
    home: &Home,
    kubernetes: &str,
    waived_until: &str,
) -> String {
    let machines = shape.machines();
    format!(
        "# A cluster on the machines of lab {lab}; use it with: ringfort lab run {lab} -- ringfort up\n\
         apiVersion: ringfort.dev/v1\n\
         kind: Cluster\n\
         name: {lab}\n\
         kubernetes: \"{kubernetes}\"\n\
         controlPlanes:\n{control_planes}\
         workers:\n{workers}\
         ssh:\n  user: root\n  identity: {identity}\n  knownHosts: {known_hosts}\n\
         {RUNTIME}\
         waivers:\n{waivers}",
        control_planes = hosts(&machines, Role::ControlPlane),
        workers = hosts(&machines, Role::Worker),
        identity = quoted(&home.identity()),
        known_hosts = quoted(&home.known_hosts()),
        waivers = waivers(shape, waived_until),
    )
}

/// What the lab's machines cannot have that the default asks for.
const RUNTIME: &str = "\
# Machines of a lab share the host's kernel: control groups and AppArmor are not their own.
runtime:
  cgroupDriver: cgroupfs
  failCgroupV1: false
  restrictOomScoreAdj: true
  appArmor: false
";

fn hosts(machines: &[Machine], role: Role) -> String {
    let of_role = machines.iter().filter(|machine| machine.role == role);
    of_role.map(|m| format!("  - {{ address: {}, name: {} }}\n", m.address, m.name)).collect()
}

fn waivers(shape: Shape, until: &str) -> String {
    let waived = [
        (true, "node/apparmor", "machines of a lab have no AppArmor of their own"),
        (shape.control_planes() < 3, "ha/three-control-planes", "a small lab"),
        (shape.workers() < 3, "ha/three-workers", "a small lab"),
    ];
    let line = |(_, control, reason): &(bool, &str, &str)| {
        format!(
            "  - {{ control: {control}, reason: {reason}, owner: whoever runs the lab, \
             expires: {until} }}\n"
        )
    };
    waived.iter().filter(|(needed, ..)| *needed).map(line).collect()
}

/// Writes a path as a text that YAML reads as it stands; JSON's texts are YAML's.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::cluster_yaml;
    use crate::places::Home;
    use crate::shape::Shape;

    fn text(control_planes: u8, workers: u8) -> String {
        let home = Home::new(PathBuf::from("/labs/a"));
        let shape = Shape::new(control_planes, workers).unwrap();
        cluster_yaml(&"a".parse().unwrap(), shape, &home, "1.37", "2027-01-31")
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
    fn waives_what_a_lab_cannot_have_and_no_more() {
        let waived = |text: String| -> Vec<String> {
            let controls = text.lines().filter_map(|line| line.split_once("control: "));
            controls.map(|(_, rest)| rest[..rest.find(',').unwrap()].to_owned()).collect()
        };
        assert_eq!(waived(text(3, 3)), ["node/apparmor"]);
        assert_eq!(
            waived(text(1, 2)),
            ["node/apparmor", "ha/three-control-planes", "ha/three-workers"]
        );
    }

    #[test]
    fn the_spec_reads_it() {
        let today = jiff::civil::date(2027, 1, 1);
        for (control_planes, workers) in [(3, 3), (1, 2), (5, 1)] {
            let text = text(control_planes, workers);
            let read = ringfort_spec::read(&text, "cluster.yaml", &[], today);
            let nodes = read.map(|spec| spec.nodes.len()).map_err(|report| format!("{report:?}"));
            assert_eq!(nodes, Ok(usize::from(control_planes + workers)), "{text}");
        }
    }
}
