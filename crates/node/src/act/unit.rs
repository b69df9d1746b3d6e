//! Units of systemd.

use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::network_policy::BRIDGE;
use ringfort_model::seen::{ItemSeen, Look};

use super::{ActError, Actor};
use crate::look::{Unit, enabled, remember, show};
use crate::routes::MASQUERADE;
use crate::tools::run;

/// What units leave on a machine that systemd does not take away with them: programs to run when
/// the unit is taken away. What they complain about is no fault: it says that nothing was left.
const AFTERMATH: &[(&str, &[&[&str]])] = &[
    ("containerd.service", &[&["ip", "link", "delete", BRIDGE]]),
    (
        "kube-proxy.service",
        &[
            &["nft", "delete", "table", "ip", "kube-proxy"],
            &["nft", "delete", "table", "ip6", "kube-proxy"],
        ],
    ),
    (
        "ringfort-policy.service",
        &[
            &["nft", "delete", "table", "inet", "ringfort-policy"],
            &["rm", "-rf", "/run/ringfort-policy"],
        ],
    ),
    (
        "ringfort-routes.service",
        &[
            &["ip", "-4", "rule", "delete", "lookup", "82", "priority", "8200"],
            &["ip", "-6", "rule", "delete", "lookup", "82", "priority", "8200"],
            &["ip", "-4", "route", "flush", "table", "all", "proto", "82"],
            &["ip", "-6", "route", "flush", "table", "all", "proto", "82"],
            &["ip", "link", "delete", "ringfort0"],
            &["nft", "delete", "table", "ip", MASQUERADE],
            &["nft", "delete", "table", "ip6", MASQUERADE],
        ],
    ),
];

impl Actor<'_> {
    /// Enables a unit and has it run with what it should read. It is restarted only if it reads
    /// something else or has to make something anew, so that a step that was cut off before its end
    /// costs one restart more.
    pub(super) fn run_unit(&self, name: &str, inputs: &Digest, anew: bool) -> Result<(), ActError> {
        const ENABLE: [&str; 2] = ["enable", "--no-reload"];
        let unit = self.unit(name)?;
        let runs_as_it_should = unit.active && self.inputs(name).as_ref() == Some(inputs);
        let is_due = anew || !runs_as_it_should;
        // Each call of a machine's first start is one of hundreds.
        let at_once = is_due && unit.there && unit.idle && !unit.outdated;
        if !at_once {
            run(self.tools, "systemctl", &[&ENABLE[..], &["--", name]].concat())?;
        }
        // To read all its files anew, systemd runs a dozen programs: only if it has to.
        if unit.outdated {
            run(self.tools, "systemctl", &["daemon-reload"])?;
        }
        if is_due {
            let path = self.root.state("units");
            remember(self.root, name, None).map_err(ActError::at(&path))?;
            let started = match at_once {
                true => {
                    run(self.tools, "systemctl", &[&ENABLE[..], &["--now", "--", name]].concat())
                        .map(|_| ())
                        .map_err(ActError::from)
                }
                false => {
                    // A unit that failed too often is not started again before its count is cleared.
                    let _ = self.systemctl("reset-failed", name);
                    self.systemctl("restart", name)
                }
            };
            started.map_err(|error| self.with_log(name, &error))?;
            remember(self.root, name, Some(inputs)).map_err(ActError::at(&path))?;
        }
        Ok(())
    }

    /// Stops a unit and takes away what it leaves.
    pub(super) fn remove_unit(&self, name: &str) -> Result<(), ActError> {
        let unit = self.unit(name)?;
        if unit.there {
            let disabled = self.systemctl("disable", name);
            // A unit whose file is gone cannot be disabled, and does not start at boot anyway.
            if !matches!(enabled(self.tools, &[name])[..], [Ok(false)]) {
                disabled?;
            }
        }
        // Without kubelet nobody restarts containers; without containerd nobody ends them.
        if name == "containerd.service" {
            self.stop_pods()?;
        }
        if unit.there || unit.active {
            self.systemctl("stop", name)?;
        }
        if name == "kubelet.service" {
            self.stop_pods()?;
        }
        if name == "containerd.service" {
            self.clear_bridge();
        }
        let left = AFTERMATH.iter().filter(|(unit, _)| *unit == name).flat_map(|(_, runs)| *runs);
        for command in left {
            let _ = run(self.tools, command[0], &command[1..]);
        }
        let _ = self.systemctl("reset-failed", name);
        remember(self.root, name, None).map_err(ActError::at(&self.root.state("units")))
    }

    /// Takes away the networks of pods that are gone: what hangs on our bridge, and nothing else,
    /// since other software of the machine has such links and namespaces too.
    fn clear_bridge(&self) {
        let hanging = run(self.tools, "ip", &["-o", "link", "show", "master", BRIDGE]);
        for line in hanging.unwrap_or_default().lines() {
            let Some((link, namespace)) = pod_end(line) else { continue };
            if let Some(namespace) = namespace {
                let _ = run(self.tools, "ip", &["netns", "delete", namespace]);
            }
            // It goes with its namespace, unless something still lives there.
            let _ = run(self.tools, "ip", &["link", "delete", link]);
        }
    }

    fn unit(&self, name: &str) -> Result<Unit, ActError> {
        Ok(show(self.tools, &[name.to_owned()])?.first().copied().unwrap_or_default())
    }

    fn inputs(&self, name: &str) -> Option<Digest> {
        match self.looker().one(&ItemId::unit(name), &Look::Plain) {
            ItemSeen::Unit { inputs, .. } => inputs,
            _ => None,
        }
    }

    fn systemctl(&self, verb: &str, name: &str) -> Result<(), ActError> {
        Ok(run(self.tools, "systemctl", &[verb, "--", name]).map(|_| ())?)
    }

    fn with_log(&self, name: &str, error: &ActError) -> ActError {
        let lines = ["-u", name, "-n", "5", "--no-pager", "-o", "cat"];
        let log = run(self.tools, "journalctl", &lines).unwrap_or_default();
        let log: Vec<&str> = log.lines().map(str::trim).collect();
        ActError::Refused(format!("{error}; its last lines: {}", log.join(" | ")))
    }
}

/// Reads a line of `ip -o link`: the link's name, and the namespace of its other end if containerd
/// made it.
fn pod_end(line: &str) -> Option<(&str, Option<&str>)> {
    let mut words = line.split_whitespace();
    let (link, _) = words.nth(1)?.split_once('@')?;
    let namespace = words.skip_while(|word| *word != "link-netns").nth(1);
    Some((link, namespace.filter(|name| name.starts_with("cni-"))))
}

#[cfg(test)]
mod tests {
    use super::pod_end;

    #[test]
    fn the_ends_of_pods_on_the_bridge_are_read() {
        let line = "7: veth0c1f@if2: <BROADCAST,UP> mtu 1500 qdisc noqueue master cni0 state UP \
                    mode DEFAULT group default \\    link/ether aa:bb brd ff:ff link-netns cni-3f";
        assert_eq!(pod_end(line), Some(("veth0c1f", Some("cni-3f"))));
        let foreign = line.replace("cni-3f", "work");
        assert_eq!(pod_end(&foreign), Some(("veth0c1f", None)));
        assert_eq!(pod_end("7: eth1: <UP> mtu 1500 master cni0"), None);
        assert_eq!(pod_end(""), None);
    }
}
