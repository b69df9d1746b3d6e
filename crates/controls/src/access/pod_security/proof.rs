//! A pod that is in order but for one thing is refused for each thing that the restricted standard
//! forbids, by every API server; and so are workloads whose pods would be such.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use crate::proof::Scene;
use crate::proof::pod::{restricted, set, workloads};
use crate::proof::tries::{By, POD_SECURITY, Try, all_refused};

/// What is wrong with each pod: in words, where, and how.
fn wrongs() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("share the machine's network", "/spec/hostNetwork", json!(true)),
        ("share the machine's processes", "/spec/hostPID", json!(true)),
        ("share the machine's IPC", "/spec/hostIPC", json!(true)),
        (
            "mount a directory of the machine",
            "/spec/volumes",
            json!([{"name": "root", "hostPath": {"path": "/"}}]),
        ),
        (
            "mount a volume of another kind",
            "/spec/volumes",
            json!([{"name": "nfs", "nfs": {"server": "10.0.0.1", "path": "/"}}]),
        ),
        (
            "set a kernel setting that is not its own",
            "/spec/securityContext/sysctls",
            json!([{"name": "kernel.msgmax", "value": "65536"}]),
        ),
        ("run as root", "/spec/securityContext/runAsUser", json!(0)),
        ("run as whom the image says", "/spec/securityContext/runAsNonRoot", json!(false)),
        (
            "run without a filter of system calls",
            "/spec/securityContext/seccompProfile",
            json!({"type": "Unconfined"}),
        ),
        ("be privileged", "/spec/containers/0/securityContext/privileged", json!(true)),
        (
            "gain privileges",
            "/spec/containers/0/securityContext/allowPrivilegeEscalation",
            json!(true),
        ),
        (
            "take a capability",
            "/spec/containers/0/securityContext/capabilities/add",
            json!(["SYS_ADMIN"]),
        ),
        ("keep capabilities", "/spec/containers/0/securityContext/capabilities/drop", json!([])),
        ("see all of /proc", "/spec/containers/0/securityContext/procMount", json!("Unmasked")),
        (
            "run one container without a filter of system calls",
            "/spec/containers/0/securityContext/seccompProfile",
            json!({"type": "Unconfined"}),
        ),
        (
            "run without AppArmor",
            "/spec/containers/0/securityContext/appArmorProfile",
            json!({"type": "Unconfined"}),
        ),
        (
            "be another SELinux user",
            "/spec/containers/0/securityContext/seLinuxOptions",
            json!({"user": "sysadm_u"}),
        ),
        (
            "take a port of the machine",
            "/spec/containers/0/ports",
            json!([{"containerPort": 8080, "hostPort": 8080}]),
        ),
    ]
}

/// What is not tried in a template: another control's guard refuses it, or Kubernetes itself does.
const NOT_IN_TEMPLATES: [&str; 4] =
    ["run as root", "run as whom the image says", "see all of /proc", "be privileged"];
/// Words of the guard of templates.
const TEMPLATES: By = By::Admission("also those of a template");

/// What no guard of ours refuses before Pod Security has its say.
const BY_POD_SECURITY_ALONE: [&str; 2] =
    ["share the machine's network", "take a port of the machine"];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let good = restricted(scene, "canary-good");
    let mut granted = vec![(Speaker::Keeper, Ask::WouldCreate(good.clone()))];
    let of_good = workloads(scene, "canary-good", &good);
    granted.extend(of_good.into_iter().map(|object| (Speaker::Keeper, Ask::WouldCreate(object))));
    let mut tries = Vec::new();
    for (place, (what, at, value)) in wrongs().into_iter().enumerate() {
        let mut pod = restricted(scene, &format!("canary-bad-{place}"));
        set(&mut pod, at, value);
        // Kubernetes itself takes these only together with another setting, whatever Pod Security says.
        match what {
            "be privileged" => {
                let escalation = "/spec/containers/0/securityContext/allowPrivilegeEscalation";
                set(&mut pod, escalation, json!(true));
            }
            "see all of /proc" => set(&mut pod, "/spec/hostUsers", json!(false)),
            _ => {}
        }
        let alone = BY_POD_SECURITY_ALONE.contains(&what);
        let by = if alone { POD_SECURITY } else { By::AnyAdmission };
        // Each kind of workload takes its turn, and those of a pod with a capability in all.
        let all = workloads(scene, &format!("canary-bad-{place}"), &pod);
        let turns = if what == "take a capability" { 0..all.len() } else { place..place + 1 };
        for turn in turns.filter(|_| !NOT_IN_TEMPLATES.contains(&what)) {
            let object = all[turn % all.len()].clone();
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            let told = format!("make a {kind} of pods to {what}");
            tries.push(Try::create(told, Speaker::Keeper, object, TEMPLATES));
        }
        tries.push(Try::create(format!("run a pod to {what}"), Speaker::Keeper, pod, by));
    }
    let mut init = restricted(scene, "canary-bad-init");
    let mut first = init["spec"]["containers"][0].clone();
    set(&mut first, "/name", "first".into());
    set(&mut first, "/securityContext/privileged", true.into());
    set(&mut first, "/securityContext/allowPrivilegeEscalation", true.into());
    set(&mut init, "/spec/initContainers", json!([first]));
    tries.push(Try::create(
        "run a pod with a privileged first container",
        Speaker::Keeper,
        init,
        By::AnyAdmission,
    ));
    tries.extend(labels(scene));
    let said = "a good pod is admitted, and each that is wrong in one thing is refused";
    all_refused(scene, transcript, &granted, &tries, said)
}

/// Nobody lowers the level, however much else they may.
fn labels(scene: &Scene) -> Vec<Try> {
    let own = ringfort_model::api_object::ObjectKey {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: scene.namespace.clone(),
    };
    let patch = |key: &str, value: Value| Ask::WouldPatch {
        of: own.clone(),
        patch: json!({"metadata": {"labels": {format!("pod-security.kubernetes.io/{key}"): value}}}),
    };
    let one = |what: &str, ask: Ask| Try {
        what: what.to_owned(),
        speaker: Speaker::Unbound,
        ask,
        by: crate::proof::tries::GUARD,
    };
    vec![
        one("lower a namespace to privileged", patch("enforce", "privileged".into())),
        one("lower a namespace to baseline", patch("enforce", "baseline".into())),
        one("hold a namespace to an old standard", patch("enforce-version", "v1.20".into())),
    ]
}
