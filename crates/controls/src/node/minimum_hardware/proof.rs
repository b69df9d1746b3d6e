//! Every kubelet reports a machine of at least the strength that its part needs.

use serde_json::Value;

use ringfort_model::act::{Ask, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use super::{CONTROL_PLANE, Least, WORKER};
use crate::proof::{Gaps, Scene, course, fail, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let list = Ask::List { api_version: "v1".into(), kind: "Node".into(), namespace: None };
        let mut gaps = Gaps::default();
        let nodes: &[Value] = match course.step(vec![scene.ask(list)])? {
            [(_, Seen::Objects(nodes))] => nodes,
            [(_, other), ..] => {
                gaps.add(format!("nodes: {}", words(other)));
                &[]
            }
            [] => &[],
        };
        let of_planes = scene.control_planes.iter().map(|node| (node, &CONTROL_PLANE));
        let of_workers = scene.workers.iter().map(|node| (node, &WORKER));
        let mut count = 0;
        for (name, least) in of_planes.chain(of_workers) {
            let node = nodes.iter().find(|node| node["metadata"]["name"] == name.as_str());
            let Some(capacity) = node.map(|node| &node["status"]["capacity"]) else {
                gaps.add(format!("{name}: there is no such node"));
                continue;
            };
            if let Some(said) = weak(name, capacity, least, &mut gaps) {
                return Ok(fail(
                    said,
                    "give the machine more, or another its part: see cluster.yaml",
                ));
            }
            count += 1;
        }
        gaps.close()?;
        let said =
            format!("kubelets report {count} machines of the strength that their part needs");
        Ok(pass(said, course.so_far()))
    })
}

/// Says what a machine has too little of.
fn weak(node: &NodeName, capacity: &Value, least: &Least, gaps: &mut Gaps) -> Option<String> {
    for (resource, least) in [
        ("cpu", u64::from(least.cpus)),
        ("memory", least.memory_bytes),
        ("ephemeral-storage", least.disk_bytes),
    ] {
        let written = capacity[resource].as_str().unwrap_or_default();
        match quantity(written) {
            Some(there) if there >= least => {}
            Some(_) => return Some(format!("{node} has {resource} {written}, and needs {least}")),
            None => gaps.add(format!("{node}: kubelet tells no {resource}")),
        }
    }
    None
}

/// Reads a quantity as kubelets write capacities: whole, or with a binary suffix.
fn quantity(text: &str) -> Option<u64> {
    let (digits, suffix) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match suffix {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::quantity;

    #[test]
    fn quantities_of_capacities_are_read() {
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(quantity(text), expected, "{text}");
        check("2", Some(2));
        check("1740800Ki", Some(1_782_579_200));
        check("3Gi", Some(3 << 30));
        check("", None);
        check("1500m", None);
        check("99999999999Ti", None);
    }
}
