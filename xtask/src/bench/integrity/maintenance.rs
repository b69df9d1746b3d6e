//! What a day brings to a cluster, compressed: of nothing that it changes may anything be left unexplained.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::lab::{LAB, Lab};
use super::super::story::Story;
use super::judge::{Known, Told};
use super::lab::{settled, watching};
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

/// Something that is done in ordinary life.
pub(super) struct Upkeep {
    /// Names it.
    id: &'static str,
    /// What is done, in a sentence.
    about: &'static str,
    /// Does it, and says what came of it.
    run: fn(&Lab<'_>, &Workspace) -> Result<String>,
}

impl Upkeep {
    /// Names it among everything that is done.
    pub(super) fn name(&self) -> String {
        format!("upkeep/{}", self.id)
    }
}

/// All of it, in order.
pub(super) const ALL: &[Upkeep] = &[
    Upkeep { id: "made", about: "the cluster was made and handed over", run: |_, _| done() },
    Upkeep { id: "login", about: "somebody logs in to each machine", run: login },
    Upkeep { id: "journals", about: "journals are rotated, units read anew", run: journals },
    Upkeep { id: "logs", about: "a log is renamed and begun anew, as logrotate does", run: logs },
    Upkeep { id: "rollout", about: "a workload is rolled out, entered, and removed", run: rollout },
    Upkeep { id: "configmaps", about: "ConfigMaps change in running pods", run: config_maps },
    Upkeep { id: "tokens", about: "kubelets start anew and rotate tokens", run: tokens },
    Upkeep { id: "package", about: "a package is installed, upgraded, removed", run: package },
    Upkeep {
        id: "called-like-one",
        about: "a program that is called like the kubelet names a file",
        run: called_like_one,
    },
    Upkeep { id: "reboot-worker", about: "a worker is restarted", run: |lab, _| reboot(lab, "w3") },
    Upkeep {
        id: "reboot-control-plane",
        about: "a control plane is restarted",
        run: |lab, _| reboot(lab, "cp3"),
    },
    Upkeep { id: "renewal", about: "ringfort up renews certificates of servers", run: renewal },
    Upkeep { id: "up", about: "ringfort up with changes of the specification", run: changed_up },
    Upkeep { id: "up-again", about: "ringfort up without any", run: |lab, _| up(lab) },
];

/// So long something new may be unexplained before it counts: packages are held against dpkg's log when it has been
/// silent for a while, and a step of ringfort's against the next baseline.
const LATE: Duration = Duration::from_secs(90);
/// So long pods and volumes are waited for.
const PATIENCE: Duration = Duration::from_secs(180);
/// The machines.
pub(super) const MACHINES: &[&str] = &["cp1", "cp2", "cp3", "w1", "w2", "w3"];
const WORKERS: &[&str] = MACHINES.split_at(3).1;
/// The namespace of pods that have volumes.
const NAMESPACE: &str = "story";

/// Does all that is wanted, prints what came of it, and gives what is wrong.
pub(super) fn keep_up(
    lab: &Lab<'_>,
    workspace: &Workspace,
    wanted: &[&'static Upkeep],
) -> Result<Vec<String>> {
    let (mut known, mut wrong) = (Known::new(), Vec::new());
    // Where not all is done, the making of the cluster is nobody's to explain.
    if wanted.first().is_some_and(|first| first.id != ALL[0].id) {
        known = settled(lab)?.known();
    }
    for upkeep in wanted {
        let (name, began) = (upkeep.name(), Instant::now());
        let did = (upkeep.run)(lab, workspace).unwrap_or_else(|failure| {
            wrong.push(format!("{name} could not be done: {failure}"));
            format!("FAILED: {failure}")
        });
        watching(lab)?;
        let told = explained(lab, &known)?;
        let new = told.after(&known);
        let unexplained = new.unexplained();
        println!(
            "{name}: {} ({did}; {:.0} s): explained {}, unexplained {}",
            upkeep.about,
            began.elapsed().as_secs_f64(),
            counted(&new.causes()),
            unexplained.len()
        );
        unexplained.iter().for_each(|line| println!("  {line}"));
        wrong.extend(unexplained.iter().map(|line| format!("{name}: {line}")));
        wrong.extend(new.unseen.iter().map(|line| format!("{name}: not all is known: {line}")));
        known = told.known();
    }
    Ok(wrong)
}

/// Waits until everything new is explained, or is late.
fn explained(lab: &Lab<'_>, known: &Known) -> Result<Told> {
    let began = Instant::now();
    loop {
        let told = settled(lab)?;
        if told.after(known).unexplained().is_empty() || began.elapsed() > LATE {
            return Ok(told);
        }
    }
}

fn counted(causes: &BTreeMap<String, usize>) -> String {
    let each: Vec<String> =
        causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
    if each.is_empty() { "none".to_owned() } else { each.join(", ") }
}

fn done() -> Result<String> {
    Ok("done".to_owned())
}

fn on_all(lab: &Lab<'_>, machines: &[&str], script: &str) -> Result<()> {
    machines.iter().try_for_each(|machine| lab.on(machine, script).map(drop))
}

fn login(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    on_all(lab, MACHINES, "bash -l -c 'id -un && systemctl is-system-running; true'")?;
    done()
}

fn journals(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    // systemd-tmpfiles also fails where it may not do all that it is told to; what it did is what counts.
    let script = "journalctl --rotate --vacuum-size=8M 2>&1 && systemctl daemon-reload && \
                  { systemd-tmpfiles --clean || true; }";
    on_all(lab, MACHINES, script)?;
    done()
}

fn logs(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    let script = "cd /var/log && for log in dpkg.log alternatives.log; do [ ! -e $log ] || \
                  { mv $log $log.1 && : >$log && gzip -f $log.1; } || exit 1; done";
    on_all(lab, MACHINES, script)?;
    done()
}

fn rollout(lab: &Lab<'_>, workspace: &Workspace) -> Result<String> {
    let file = workspace.root().join("examples/sample.yaml").display().to_string();
    lab.kubectl(&["apply", "-f", &file])?;
    let wait = ["-n", "sample", "rollout", "status", "deployment/hello", "--timeout=180s"];
    lab.kubectl(&wait)?;
    lab.kubectl(&["-n", "sample", "exec", "deployment/hello", "--", "/probe", "version"])?;
    lab.kubectl(&["-n", "sample", "rollout", "restart", "deployment/hello"])?;
    lab.kubectl(&wait)?;
    lab.kubectl(&["-n", "sample", "logs", "deployment/hello", "--tail=1"])?;
    lab.kubectl(&["-n", "sample", "scale", "deployment/hello", "--replicas=1"])?;
    lab.kubectl(&["delete", "-f", &file, "--timeout=120s"])?;
    done()
}

/// How many ConfigMaps each pod has, and how many pods there are: with each change of all ConfigMaps each pod swaps
/// each of its volumes.
const VOLUMES: usize = 10;
const PODS: usize = 9;
/// So often volumes are swapped.
const SWAPS: usize = 1_000;
/// So often all ConfigMaps are changed at most.
const ROUNDS: usize = 40;

/// Changes ConfigMaps until volumes were swapped often enough. A kubelet looks after a pod's volumes at once when the
/// pod itself changes, so an annotation of it does as well.
fn config_maps(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    pods(lab)?;
    let (mut swaps, mut round) = (0, 0);
    while swaps < SWAPS {
        round += 1;
        if round > ROUNDS {
            return Err(Failure::stuck(format!("{swaps} volumes were swapped, not {SWAPS}")));
        }
        let before = volumes(lab, "configmap")?;
        apply(lab, &maps(round))?;
        let word = format!("ringfort.dev/story={round}");
        lab.kubectl(&["-n", NAMESPACE, "annotate", "pods", "--all", "--overwrite", &word])?;
        swaps += swapped(lab, "configmap", &before, before.len())?;
    }
    Ok(format!("{swaps} swaps, as machines have them"))
}

/// Starts kubelets anew, which then know no tokens and ask for others.
fn tokens(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    pods(lab)?;
    let before = volumes(lab, "projected")?;
    on_all(lab, WORKERS, "systemctl restart kubelet.service")?;
    let rotated = swapped(lab, "projected", &before, before.len())?;
    if rotated == 0 {
        return Err(Failure::stuck("no token was rotated"));
    }
    Ok(format!("{rotated} tokens"))
}

/// Sees that there are pods with volumes.
fn pods(lab: &Lab<'_>) -> Result<()> {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    apply(lab, &namespace)?;
    apply(lab, &maps(0))?;
    apply(lab, &deployment())?;
    let name = format!("deployment/{NAMESPACE}");
    lab.kubectl(&["-n", NAMESPACE, "rollout", "status", &name, "--timeout=180s"]).map(drop)
}

fn apply(lab: &Lab<'_>, object: &Value) -> Result<()> {
    let path = lab.ground.directory.join("apply.json");
    fs::write(&path, object.to_string()).map_err(|source| Failure::at("write", &path, &source))?;
    lab.kubectl(&["apply", "-f", &path.display().to_string()]).map(drop)
}

/// The ConfigMaps of a round.
fn maps(round: usize) -> Value {
    let one = |number: usize| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("story-{number}"), "namespace": NAMESPACE},
            "data": {"round": round.to_string()},
        })
    };
    json!({"apiVersion": "v1", "kind": "List", "items": (0..VOLUMES).map(one).collect::<Vec<_>>()})
}

/// Pods on all workers with all ConfigMaps and a token.
fn deployment() -> Value {
    let map = |number: usize| {
        let name = format!("story-{number}");
        json!({"name": name, "configMap": {"name": name}})
    };
    let token = json!({"serviceAccountToken": {"path": "token", "expirationSeconds": 600}});
    let token = json!({"name": "story-token", "projected": {"sources": [token]}});
    let volumes: Vec<Value> = (0..VOLUMES).map(map).chain([token]).collect();
    let mount = |volume: &Value| json!({"name": volume["name"], "mountPath": format!("/{}", text(&volume["name"]))});
    let mounts: Vec<Value> = volumes.iter().map(mount).collect();
    let labels = json!({"app": NAMESPACE});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": NAMESPACE, "namespace": NAMESPACE},
        "spec": {"replicas": PODS, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"}},
                "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": labels}}],
                "containers": [{
                    "name": "probe", "image": "ringfort.dev/probe:1", "imagePullPolicy": "IfNotPresent",
                    "args": ["serve"], "volumeMounts": mounts,
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]}},
                }],
                "volumes": volumes,
            },
        }},
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Volumes of a kind, each with the directory that its content is in.
type Volumes = BTreeMap<String, String>;

fn volumes(lab: &Lab<'_>, kind: &str) -> Result<Volumes> {
    let script = format!(
        "find /var/lib/kubelet/pods -path '*/volumes/kubernetes.io~{kind}/story-*/..data' -printf '%p %l\\n' \
         2>/dev/null; true"
    );
    let mut all = Volumes::new();
    for worker in WORKERS {
        let printed = lab.on(worker, &script)?;
        let link = |line: &str| line.split_once(' ').map(|(at, to)| (at.to_owned(), to.to_owned()));
        all.extend(printed.lines().filter_map(link));
    }
    Ok(all)
}

/// Waits until so many volumes have another content than before, or it takes too long; gives how many have.
fn swapped(lab: &Lab<'_>, kind: &str, before: &Volumes, all: usize) -> Result<usize> {
    let began = Instant::now();
    loop {
        let count = changed(before, &volumes(lab, kind)?);
        if count >= all || began.elapsed() > PATIENCE {
            return Ok(count);
        }
        thread::sleep(Duration::from_secs(2));
    }
}

/// Counts the volumes that were there before and have another content now.
fn changed(before: &Volumes, now: &Volumes) -> usize {
    before.iter().filter(|(path, to)| now.get(*path).is_some_and(|now| now != *to)).count()
}

/// Makes two versions of a package and has the machine's package manager do what it does with them.
const PACKAGE: &str = r#"set -e
export DEBIAN_FRONTEND=noninteractive
cd "$(mktemp -d)"
chmod 0755 .
version() {
    mkdir -p $1/DEBIAN $1/usr/bin $1/usr/lib/systemd/system $1/etc/logrotate.d
    printf 'Package: story\nVersion: %s\nArchitecture: all\nMaintainer: Story <story@story.invalid>\nDescription: story\n' \
        $1 >$1/DEBIAN/control
    echo /etc/logrotate.d/story >$1/DEBIAN/conffiles
    printf '#!/bin/sh\nldconfig\nsystemctl daemon-reload\n' >$1/DEBIAN/postinst
    printf '#!/bin/sh\necho %s\n' $1 >$1/usr/bin/story-tool
    chmod 0755 $1/DEBIAN/postinst $1/usr/bin/story-tool
    printf '[Service]\nExecStart=/usr/bin/story-tool %s\n' $1 >$1/usr/lib/systemd/system/story-tool.service
    printf '# %s\n' $1 >$1/etc/logrotate.d/story
    dpkg-deb --build --root-owner-group $1 story_$1.deb
}
version 1
version 2
apt-get install -y ./story_1.deb </dev/null
sleep 7
apt-get install -y ./story_2.deb </dev/null
sleep 7
apt-get purge -y story </dev/null
"#;

fn package(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    for machine in ["cp1", "w1"] {
        lab.feed(machine, "bash -s", &mut PACKAGE.as_bytes())?;
    }
    done()
}

/// Runs it as root and in a service, so that only the place of the program tells it apart: who is believed makes the
/// file that he names be told, and nothing explains that.
fn called_like_one(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    let script = "cd \"$(mktemp -d)\" && cp /usr/bin/perl kubelet && systemd-run --quiet --wait --same-dir \
                  ./kubelet -e 'sleep 15' -- --config=/srv/story.yaml";
    lab.on("w1", script)?;
    done()
}

fn reboot(lab: &Lab<'_>, machine: &str) -> Result<String> {
    process::run(&mut lab.command(&["stop", LAB, machine]))?;
    process::run(&mut lab.command(&["start", LAB, machine]))?;
    // What answers first need not be ready: the node may still be the one of before.
    thread::sleep(Duration::from_secs(20));
    let node = format!("node/{machine}");
    lab.kubectl(&["wait", "--for=condition=Ready", "--timeout=300s", &node])?;
    done()
}

/// Has certificates of API servers speak for another address, and for it no more.
fn renewal(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    let path = lab.spec();
    let before = fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))?;
    let address = address(&before, "cp1")
        .ok_or_else(|| Failure::stuck("the specification has no cp1 with an address"))?;
    lab.waive(&format!("endpoint: {address}:6443\n"), "")?;
    let first = renewed_by_up(lab);
    fs::write(&path, before).map_err(|source| Failure::at("write", &path, &source))?;
    let renewed = first? + renewed_by_up(lab)?;
    if renewed == 0 {
        return Err(Failure::stuck("no certificate was renewed"));
    }
    Ok(format!("{renewed} certificates"))
}

/// Finds the address of a machine in a specification, where each has a line.
fn address(spec: &str, name: &str) -> Option<String> {
    let one = |line: &str| {
        let (address, rest) = line.trim().strip_prefix("- { address: ")?.split_once(", name: ")?;
        (rest.split([',', ' ']).next()? == name).then(|| address.to_owned())
    };
    spec.lines().find_map(one)
}

fn renewed_by_up(lab: &Lab<'_>) -> Result<usize> {
    let story = proved_up(lab)?;
    Ok(story.steps.iter().filter(|step| step.what.contains(".crt")).count())
}

fn changed_up(lab: &Lab<'_>, _: &Workspace) -> Result<String> {
    lab.waive("audit: { maxBackups: 11 }\nnetwork: { masquerade: true }\n", "")?;
    up(lab)
}

fn up(lab: &Lab<'_>) -> Result<String> {
    let story = proved_up(lab)?;
    Ok(format!("{} steps", story.changes))
}

fn proved_up(lab: &Lab<'_>) -> Result<Story> {
    let (_, story) = lab.converge("up")?;
    if !story.handed_over {
        return Err(Failure::findings(format!("not proved: {}", story.not_proved.join("; "))));
    }
    Ok(story)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_the_making_comes_first() {
        let names: BTreeSet<String> = ALL.iter().map(Upkeep::name).collect();
        assert_eq!((names.len(), ALL[0].id), (ALL.len(), "made"));
        assert!(ALL.iter().all(|upkeep| !upkeep.about.is_empty()));
    }

    #[test]
    fn only_a_volume_with_another_content_was_swapped() {
        let volumes = |all: &[(&str, &str)]| -> Volumes {
            all.iter().map(|(at, to)| ((*at).to_owned(), (*to).to_owned())).collect()
        };
        let before = volumes(&[("a", "..1"), ("b", "..1"), ("gone", "..1")]);
        let now = volumes(&[("a", "..2"), ("b", "..1"), ("new", "..1")]);
        assert_eq!(changed(&before, &now), 1);
        assert_eq!(changed(&before, &before), 0);
    }

    #[test]
    fn every_pod_has_every_map_and_a_token_where_swaps_are_counted() {
        let volumes = deployment()["spec"]["template"]["spec"]["volumes"].clone();
        let volumes = volumes.as_array().unwrap();
        assert_eq!(volumes.len(), VOLUMES + 1);
        assert!(volumes.iter().all(|volume| text(&volume["name"]).starts_with("story-")));
        assert_eq!(maps(7)["items"].as_array().unwrap().len(), VOLUMES);
        assert_eq!(maps(7)["items"][9]["data"]["round"], "7");
    }

    #[test]
    fn the_address_of_a_machine_is_found_in_its_line() {
        let spec = "controlPlanes:\n  - { address: 10.0.0.11, name: cp1 }\n  - { address: 10.0.0.12, name: cp2, a: b }\n";
        assert_eq!(address(spec, "cp1").unwrap(), "10.0.0.11");
        assert_eq!(address(spec, "cp2").unwrap(), "10.0.0.12");
        assert_eq!(address(spec, "cp"), None);
    }

    #[test]
    fn causes_are_counted_in_words() {
        assert_eq!(counted(&BTreeMap::new()), "none");
        let causes = [("converge".to_owned(), 3), ("package".to_owned(), 1)];
        assert_eq!(counted(&causes.into()), "3 converge, 1 package");
    }
}
