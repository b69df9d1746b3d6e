//! What the standards say, change by change on a pod that all of them allow.

use std::ops::RangeInclusive;

use ringfort_check::pods::{Judged, Verdict, pods};
use ringfort_model::pod_security::{Level, Policy, Version};
use serde_json::{Value, json};

/// A pod that every level allows in every version.
pub(crate) fn good() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "good"},
        "spec": {
            "securityContext": {
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "one",
                "image": "example.com/one",
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// The good pod with changes: JSON pointers, and what is written there. Null takes a field away.
pub(crate) fn changed(changes: &[(&str, Value)]) -> Value {
    let mut pod = good();
    for (pointer, value) in changes {
        let mut place = &mut pod;
        for key in pointer.split('/').skip(1).map(|key| key.replace("~1", "/")) {
            place = match place {
                Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
                object => &mut object[key],
            };
        }
        *place = value.clone();
    }
    pod
}

pub(crate) fn judge(document: &Value, level: Level, version: Version) -> Judged {
    pods(document)[0].judge(Policy { level, version })
}

/// Compares what fails at a level in every version there is, and in those to come.
#[track_caller]
fn fails(level: Level, changes: &[(&str, Value)], expected: &[(&str, RangeInclusive<u64>)]) {
    let pod = changed(changes);
    for minor in 0..=Version::NEWEST + 2 {
        let judged = judge(&pod, level, Version::Minor(minor));
        assert_eq!(judged.unreadable, [], "{pod}");
        let found: Vec<_> = judged.failures.iter().map(|failure| failure.check).collect();
        let expected: Vec<_> = expected
            .iter()
            .filter(|(_, range)| range.contains(&minor))
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(found, expected, "{level} v1.{minor} {pod}");
    }
}

/// Every version, from a minor on.
fn since(minor: u64) -> RangeInclusive<u64> {
    minor..=u64::MAX
}

use Level::{Baseline, Privileged, Restricted};

const SECURITY: &str = "/spec/containers/0/securityContext";

fn of_container(field: &str) -> String {
    format!("{SECURITY}/{field}")
}

#[test]
fn the_good_pod_passes_and_privileged_allows_everything() {
    for level in Level::ALL {
        fails(level, &[], &[]);
    }
    fails(
        Privileged,
        &[("/spec/hostPID", json!(true)), (SECURITY, json!({"privileged": true}))],
        &[],
    );
}

#[test]
fn what_is_the_nodes_stays_the_nodes() {
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        let pointer = format!("/spec/{field}");
        for level in [Baseline, Restricted] {
            fails(level, &[(&pointer, json!(true))], &[("hostNamespaces", since(0))]);
            fails(level, &[(&pointer, json!(false))], &[]);
        }
    }
    let ports = |host: Value| {
        ("/spec/containers/0/ports", json!([{"containerPort": 80, "hostPort": host}]))
    };
    fails(Baseline, &[ports(json!(80))], &[("hostPorts", since(0))]);
    fails(Baseline, &[ports(json!(0))], &[]);
    fails(Baseline, &[ports(Value::Null)], &[]);
    let host_process = json!({"hostProcess": true});
    for security in ["/spec/securityContext", SECURITY] {
        let pointer = format!("{security}/windowsOptions");
        fails(Baseline, &[(&pointer, host_process.clone())], &[("windowsHostProcess", since(0))]);
    }
}

#[test]
fn probes_and_hooks_name_no_host_from_1_34_on() {
    let pointers = [
        "livenessProbe/httpGet",
        "readinessProbe/tcpSocket",
        "startupProbe/httpGet",
        "lifecycle/postStart/tcpSocket",
        "lifecycle/preStop/httpGet",
    ];
    for pointer in pointers.map(|way| format!("/spec/containers/0/{way}")) {
        let with = |host| json!({"host": host, "port": "web"});
        let expected = [("hostProbesAndHostLifecycle", since(34))];
        fails(Baseline, &[(&pointer, with("127.0.0.1"))], &expected);
        fails(Restricted, &[(&pointer, with("127.0.0.1"))], &expected);
        fails(Baseline, &[(&pointer, with(""))], &[]);
    }
}

#[test]
fn volumes_bring_nothing_from_the_node() {
    let volumes = |source: Value| ("/spec/volumes", json!([{"name": "a"}, source]));
    let path = || volumes(json!({"name": "b", "hostPath": {"path": "/"}}));
    fails(Baseline, &[path()], &[("hostPathVolumes", since(0))]);
    fails(Restricted, &[path()], &[("restrictedVolumes", since(0))]);
    let nfs = || volumes(json!({"name": "b", "nfs": {}}));
    fails(Baseline, &[nfs()], &[]);
    fails(Restricted, &[nfs()], &[("restrictedVolumes", since(0))]);
    fails(Restricted, &[volumes(json!({"name": "b", "image": {}, "nfs": null}))], &[]);
    fails(Restricted, &[volumes(json!({"name": "b", "unheardOf": {}}))], &[]);
}

#[test]
fn capabilities_are_default_ones_and_dropped_from_1_22_on() {
    let add = of_container("capabilities/add");
    let both = [("capabilities_baseline", 0..=21), ("capabilities_restricted", since(22))];
    for bad in ["NET_RAW", "SYS_ADMIN", "ALL", "chown", ""] {
        fails(Baseline, &[(&add, json!([bad]))], &[("capabilities_baseline", since(0))]);
        fails(Restricted, &[(&add, json!(["CHOWN", bad]))], &both);
    }
    fails(Baseline, &[(&add, json!([null]))], &[("capabilities_baseline", since(0))]);
    fails(Baseline, &[(&add, json!(["CHOWN", "SETFCAP"]))], &[]);
    fails(Restricted, &[(&add, json!(["CHOWN"]))], &[("capabilities_restricted", since(22))]);
    fails(Restricted, &[(&add, json!(["NET_BIND_SERVICE"]))], &[]);
    let drop = of_container("capabilities");
    for bad in [Value::Null, json!({}), json!({"drop": []}), json!({"drop": ["all", "CHOWN"]})] {
        fails(Baseline, &[(&drop, bad.clone())], &[]);
        fails(Restricted, &[(&drop, bad)], &[("capabilities_restricted", since(22))]);
    }
}

#[test]
fn nobody_is_root_or_becomes_it() {
    fails(Baseline, &[(&of_container("privileged"), json!(true))], &[("privileged", since(0))]);
    let escalation = of_container("allowPrivilegeEscalation");
    for bad in [Value::Null, json!(true)] {
        let expected = [("allowPrivilegeEscalation", since(8))];
        fails(Restricted, &[(&escalation, bad)], &expected);
    }
    let pod = "/spec/securityContext/runAsNonRoot";
    let container = of_container("runAsNonRoot");
    let expected = [("runAsNonRoot", since(0))];
    fails(Restricted, &[(pod, Value::Null)], &expected);
    fails(Restricted, &[(pod, json!(false)), (&container, json!(true))], &expected);
    fails(Restricted, &[(pod, json!(true)), (&container, json!(false))], &expected);
    fails(Restricted, &[(pod, Value::Null), (&container, json!(true))], &[]);
    for pointer in ["/spec/securityContext/runAsUser", &of_container("runAsUser")] {
        fails(Restricted, &[(pointer, json!(0))], &[("runAsUser", since(23))]);
        fails(Restricted, &[(pointer, json!(1))], &[]);
        fails(Baseline, &[(pointer, json!(0))], &[]);
    }
}

#[test]
fn seccomp_is_an_annotation_before_1_19_and_a_field_since() {
    let pod = "/spec/securityContext/seccompProfile";
    let container = of_container("seccompProfile");
    for bad in [json!({"type": "Unconfined"}), json!({})] {
        for pointer in [pod, &container] {
            let change = [(pointer, bad.clone())];
            fails(Baseline, &change, &[("seccompProfile_baseline", since(19))]);
            fails(Restricted, &change, &[("seccompProfile_restricted", since(19))]);
        }
    }
    let unset = (pod, Value::Null);
    fails(Baseline, std::slice::from_ref(&unset), &[]);
    fails(Restricted, std::slice::from_ref(&unset), &[("seccompProfile_restricted", since(19))]);
    fails(Restricted, &[unset, (&container, json!({"type": "Localhost"}))], &[]);

    let annotated = |key: &str, value: Value| ("/metadata/annotations", json!({key: value}));
    let expected = [("seccompProfile_baseline", 0..=18)];
    for key in [
        "seccomp.security.alpha.kubernetes.io/pod",
        "container.seccomp.security.alpha.kubernetes.io/one",
    ] {
        for bad in [json!("unconfined"), json!(""), Value::Null] {
            fails(Baseline, &[annotated(key, bad.clone())], &expected);
            fails(Restricted, &[annotated(key, bad)], &expected);
        }
        for allowed in ["runtime/default", "docker/default", "localhost/a"] {
            fails(Restricted, &[annotated(key, json!(allowed))], &[]);
        }
    }
    let other = "container.seccomp.security.alpha.kubernetes.io/two";
    fails(Baseline, &[annotated(other, json!("unconfined"))], &[]);
}

#[test]
fn other_guards_stay_as_they_are() {
    for security in ["/spec/securityContext", SECURITY] {
        let profile = format!("{security}/appArmorProfile");
        fails(
            Baseline,
            &[(&profile, json!({"type": "Unconfined"}))],
            &[("appArmorProfile", since(0))],
        );
        fails(Baseline, &[(&profile, json!({"type": "Localhost"}))], &[]);
        let options = format!("{security}/seLinuxOptions");
        for (field, value, expected) in [
            ("type", "spc_t", Some(since(0))),
            ("type", "container_engine_t", Some(0..=30)),
            ("type", "container_init_t", None),
            ("type", "", None),
            ("user", "system_u", Some(since(0))),
            ("role", "system_r", Some(since(0))),
            ("level", "s0", None),
        ] {
            let expected = expected.map(|range| ("seLinuxOptions", range));
            fails(Baseline, &[(&options, json!({field: value}))], expected.as_slice());
        }
    }
    let annotation = "container.apparmor.security.beta.kubernetes.io/anybody";
    let annotated = |value: &str| ("/metadata/annotations", json!({annotation: value}));
    fails(Baseline, &[annotated("unconfined")], &[("appArmorProfile", since(0))]);
    for allowed in ["", "runtime/default", "localhost/a"] {
        fails(Baseline, &[annotated(allowed)], &[]);
    }
}

#[test]
fn sysctls_become_safe_one_after_the_other() {
    for (name, unsafe_until) in [
        ("kernel.shm_rmid_forced", None),
        ("net.ipv4.ip_local_reserved_ports", Some(26)),
        ("net.ipv4.tcp_keepalive_probes", Some(28)),
        ("net.ipv4.tcp_wmem", Some(31)),
        ("net.ipv4.tcp_notsent_lowat", Some(36)),
        ("kernel.msgmax", Some(u64::MAX)),
    ] {
        let sysctls = json!([{"name": name, "value": "1"}]);
        let expected = unsafe_until.map(|minor| ("sysctls", 0..=minor));
        fails(Baseline, &[("/spec/securityContext/sysctls", sysctls)], expected.as_slice());
    }
}

#[test]
fn pods_with_users_of_their_own_are_spared_from_1_35_on() {
    let own_users = |host_users| ("/spec/hostUsers", host_users);
    let root = [
        ("/spec/securityContext/runAsNonRoot", json!(false)),
        ("/spec/securityContext/runAsUser", json!(0)),
    ];
    let spared = [("runAsNonRoot", 0..=34), ("runAsUser", 23..=34)];
    let not = [("runAsNonRoot", since(0)), ("runAsUser", since(23))];
    let [not_root, number] = root;
    fails(Restricted, &[not_root.clone(), number.clone(), own_users(json!(false))], &spared);
    fails(Restricted, &[not_root.clone(), number.clone(), own_users(json!(true))], &not);
    fails(Restricted, &[not_root, number, own_users(Value::Null)], &not);

    let unmasked = || (of_container("procMount"), json!("Unmasked"));
    let (pointer, value) = unmasked();
    let change = [(pointer.as_str(), value), own_users(json!(false))];
    fails(Baseline, &change, &[("procMount", 0..=34)]);
    fails(Restricted, &change, &[("procMount", 0..=34), ("procMount_restricted", since(35))]);
    let (pointer, value) = unmasked();
    fails(Baseline, &[(pointer.as_str(), value)], &[("procMount", since(0))]);
}

#[test]
fn windows_is_spared_from_1_25_on() {
    let bare = [(SECURITY, json!({})), ("/spec/securityContext/seccompProfile", Value::Null)];
    let [container, pod] = bare;
    let os = |name: &str| ("/spec/os", json!({"name": name}));
    let until = |last| {
        [
            ("allowPrivilegeEscalation", 8..=last),
            ("capabilities_restricted", 22..=last),
            ("seccompProfile_restricted", 19..=last),
        ]
    };
    fails(Restricted, &[container.clone(), pod.clone(), os("windows")], &until(24));
    for other in ["linux", "Windows"] {
        fails(Restricted, &[container.clone(), pod.clone(), os(other)], &until(u64::MAX));
    }
}

#[test]
fn every_kind_of_container_is_judged() {
    for kind in ["initContainers", "ephemeralContainers"] {
        let pointer = format!("/spec/{kind}");
        let change = [(
            pointer.as_str(),
            json!([{"name": "two", "securityContext": {
                "privileged": true,
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
            }}]),
        )];
        fails(Restricted, &change, &[("privileged", since(0))]);
    }
}

#[test]
fn templates_are_judged_where_they_stand() {
    let pod = changed(&[("/spec/hostPID", json!(true))]);
    let template = json!({"metadata": pod["metadata"], "spec": pod["spec"]});
    let spec = json!({"template": template});
    let check = |version: &str, kind: &str, body: (&str, &Value), pointer: &str| {
        let object = json!({"apiVersion": version, "kind": kind, body.0: body.1});
        let judged = judge(&object, Baseline, Version::Latest);
        let faults = &judged.failures[0].faults;
        assert_eq!(faults[0].to_string(), format!("{pointer} is true: leave it out"));
        assert_eq!(judged.unreadable, []);
    };
    for kind in ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"] {
        check("apps/v1", kind, ("spec", &spec), "/spec/template/spec/hostPID");
    }
    check("batch/v1", "Job", ("spec", &spec), "/spec/template/spec/hostPID");
    check("v1", "ReplicationController", ("spec", &spec), "/spec/template/spec/hostPID");
    check("v1", "PodTemplate", ("template", &template), "/template/spec/hostPID");
    let spec = json!({"jobTemplate": {"spec": spec}});
    check("batch/v1", "CronJob", ("spec", &spec), "/spec/jobTemplate/spec/template/spec/hostPID");
}

#[test]
fn faults_say_where_what_and_what_instead() {
    let pod = changed(&[
        ("/metadata/annotations", json!({"container.apparmor.security.beta.kubernetes.io/a": "x"})),
        ("/spec/volumes", json!([{"name": "a", "hostPath": {"path": "/"}}])),
        ("/spec/securityContext", json!({"runAsUser": 0, "sysctls": [{"name": "kernel.msgmax"}]})),
        ("/spec/containers/0/ports", json!([{"hostPort": 80}])),
        (SECURITY, json!({"capabilities": {"add": ["CHOWN", "NET_RAW"]}})),
    ]);
    let judged = judge(&pod, Restricted, Version::Latest);
    let faults = judged.failures.iter().flat_map(|failure| &failure.faults);
    let said: Vec<_> = faults.map(ToString::to_string).collect();
    let kinds = "configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, \
                 projected, secret";
    assert_eq!(
        said,
        [
            "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1a is \"x\": leave it out",
            "/spec/containers/0/ports/0/hostPort is 80: leave it out",
            "/spec/securityContext/sysctls/0 is {\"name\":\"kernel.msgmax\"}: leave it out",
            "/spec/containers/0/securityContext/allowPrivilegeEscalation is not set: write false",
            "/spec/containers/0/securityContext/capabilities/drop is not set: put ALL into the list",
            "/spec/containers/0/securityContext/capabilities/add/0 is \"CHOWN\": leave it out",
            "/spec/containers/0/securityContext/capabilities/add/1 is \"NET_RAW\": leave it out",
            &format!(
                "/spec/volumes/0/hostPath is {{\"path\":\"/\"}}: use a volume of another kind: {kinds}"
            ),
            "/spec/containers/0/securityContext/runAsNonRoot is not set: write true",
            "/spec/securityContext/runAsUser is 0: leave it out",
            "/spec/containers/0/securityContext/seccompProfile/type is not set: write RuntimeDefault or Localhost",
        ]
    );
}

#[test]
fn what_cannot_be_read_never_passes() {
    let check = |changes: &[(&str, Value)], expected: &str| {
        let judged = judge(&changed(changes), Baseline, Version::Latest);
        assert_eq!(judged.verdict(), Verdict::Unknown);
        assert_eq!(judged.unreadable[0].to_string(), expected);
    };
    check(
        &[("/spec/hostPID", json!("false"))],
        "/spec/hostPID: true or false must stand here, and it is the text \"false\"",
    );
    check(
        &[("/spec/tolerations", json!([{"tolerationSeconds": 1.5}]))],
        "/spec/tolerations/0/tolerationSeconds: a whole number of 64 bits must stand here, and it \
         is the number 1.5",
    );
    for none in [Value::Null, json!([])] {
        let expected =
            "/spec/containers: at least one container must stand here, and there is none";
        check(&[("/spec/containers", none)], expected);
    }
    // What fails whatever the unreadable field means has failed.
    let both = changed(&[("/spec/hostPID", json!(true)), ("/spec/hostIPC", json!("true"))]);
    assert_eq!(judge(&both, Baseline, Version::Latest).verdict(), Verdict::Fail);
    // A check that may allow or spare the pod may not be said to fail.
    for [first, second] in [
        [("/spec/securityContext/runAsNonRoot", json!(false)), ("/spec/hostUsers", json!("false"))],
        [(SECURITY, json!({})), ("/spec/os", json!("windows"))],
        [("/spec/volumes", json!([{"nfs": {}, "secret": true}])), ("/spec/hostname", json!("a"))],
    ] {
        let judged = judge(&changed(&[first, second]), Restricted, Version::Latest);
        assert_eq!(judged.verdict(), Verdict::Unknown, "{judged:?}");
    }
}
