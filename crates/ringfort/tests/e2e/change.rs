//! A change of the specification takes its own steps and no others.

use std::collections::BTreeSet;

use crate::MACHINES;
use crate::cluster::Cluster;

/// A change, and every step that it takes.
struct Change {
    /// What stands behind its lines.
    before: &'static str,
    lines: &'static str,
    of_api: &'static [&'static str],
    of_control_planes: &'static [&'static str],
    of_machines: &'static [&'static str],
}

const CHANGES: [Change; 4] = [
    Change {
        before: "waivers:\n",
        lines: "dns: { upstream: [9.9.9.9] }\n",
        of_api: &[
            "ConfigMap kube-system/coredns",
            "Deployment kube-system/coredns",
            "NetworkPolicy kube-system/kube-dns",
        ],
        of_control_planes: &[],
        of_machines: &[
            "file:/etc/kubernetes/resolv.conf",
            "file:/etc/ringfort/integrity/baseline",
            "unit:kubelet.service",
        ],
    },
    Change {
        before: "  tell:\n",
        lines: "  maxBackups: 11\n",
        of_api: &[],
        of_control_planes: &[
            "file:/etc/kubernetes/manifests/kube-apiserver.yaml",
            "file:/etc/ringfort/integrity/baseline",
        ],
        of_machines: &[],
    },
    Change {
        before: "waivers:\n",
        lines: "network: { masquerade: true }\n",
        of_api: &[],
        of_control_planes: &[],
        of_machines: &["file:/etc/kubernetes/routes.json", "file:/etc/ringfort/integrity/baseline"],
    },
    Change {
        before: "waivers:\n",
        lines: "endpoint: api.example.com:6443\n",
        of_api: &[],
        of_control_planes: &["file:/etc/kubernetes/pki/apiserver.crt"],
        of_machines: &[],
    },
];

impl Change {
    /// Gives the specification with its lines.
    fn of(&self, text: &str) -> String {
        let Self { before, lines, .. } = self;
        assert_eq!(text.matches(before).count(), 1, "{before:?} stands in it once");
        text.replace(before, &format!("{lines}{before}"))
    }

    fn steps(&self) -> BTreeSet<String> {
        let of = |machine: &str, items: &[&str]| -> Vec<String> {
            items.iter().map(|item| format!("{machine} {item}")).collect()
        };
        let planes = MACHINES.iter().filter(|machine| machine.starts_with("cp"));
        let of_planes = planes.flat_map(|machine| of(machine, self.of_control_planes));
        let of_machines = MACHINES.iter().flat_map(|machine| of(machine, self.of_machines));
        of("api", self.of_api).into_iter().chain(of_planes).chain(of_machines).collect()
    }
}

pub fn its_own(cluster: &Cluster) {
    let mut wrong = Vec::new();
    for change in CHANGES {
        let spec = cluster.spec_with(|text| change.of(&text));
        let plan = cluster.ringfort_with(&spec, cluster.bundle(), &["plan"]);
        assert_eq!(plan.code, Some(0), "{}", plan.stderr);
        let (planned, own): (BTreeSet<_>, _) = (plan.steps().into_iter().collect(), change.steps());
        let more =
            planned.difference(&own).map(|step| format!("{}: not its own: {step}", change.lines));
        let less =
            own.difference(&planned).map(|step| format!("{}: not planned: {step}", change.lines));
        wrong.extend(more.chain(less));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
