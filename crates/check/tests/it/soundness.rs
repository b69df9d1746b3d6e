//! Manifests that tools are known to judge wrongly, and what must be said of them.

use ringfort_check::judgement::Judgement;
use ringfort_check::world::World;

use crate::guidelines::{documents, judged};

/// What a guideline comes to for the object of the first document.
fn check(text: &str, guideline: &'static str, world: World) -> &'static str {
    let judged = judged(&documents(text), world, &[]);
    match judged.get(&(0, guideline)) {
        Some(Judgement::Pass(_)) => "pass",
        Some(Judgement::Fail(_)) => "fail",
        Some(Judgement::NotApplicable(_)) => "not applicable",
        Some(Judgement::Unknown(_)) => "unknown",
        None => "not judged",
    }
}

/// A container that is started first, or for debugging, is one.
#[test]
fn a_container_of_any_kind_is_judged() {
    let good = "{ name: a, securityContext: { readOnlyRootFilesystem: true } }";
    let bad = "{ name: b, securityContext: { privileged: true } }";
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let lists = match list {
            "containers" => format!("containers: [{good}, {bad}]"),
            list => format!("containers: [{good}], {list}: [{bad}]"),
        };
        let text = format!(
            "{{ apiVersion: v1, kind: Pod, metadata: {{ name: a }}, spec: {{ {lists} }} }}"
        );
        for guideline in ["workload/not-privileged", "workload/read-only-root"] {
            assert_eq!(check(&text, guideline, World::Open), "fail", "{guideline} {list}");
        }
    }
}

/// Webhooks of some add-on are no policy for pods, nor is a label that allows everything, nor that no
/// such pod is there today.
#[test]
fn a_namespace_that_lets_everything_in_fails() {
    let webhooks = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: { name: cert-manager-webhook }
webhooks: [{ name: webhook.cert-manager.io, rules: [{ apiGroups: [cert-manager.io], resources: ['*'] }] }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: { name: cert-manager-webhook }
webhooks: [{ name: webhook.cert-manager.io, rules: [{ apiGroups: [cert-manager.io], resources: ['*'] }] }]
";
    let namespace = |labels: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: a, labels: {{ {labels} }} }}\n"
        )
    };
    for (text, expected) in [
        (namespace(""), "fail"),
        (format!("{}---\n{webhooks}", namespace("")), "fail"),
        (namespace("pod-security.kubernetes.io/enforce: privileged"), "fail"),
        (namespace("pod-security.kubernetes.io/warn: restricted"), "fail"),
        (namespace("pod-security.kubernetes.io/enforce: '{{ .Values.level }}'"), "unknown"),
        (namespace("'{{ .Values.label }}': restricted"), "unknown"),
        (namespace("pod-security.kubernetes.io/enforce: baseline"), "pass"),
    ] {
        assert_eq!(
            check(&text, "workload/pod-security-is-enforced", World::Closed),
            expected,
            "{text}"
        );
    }
}

/// What is not there is a fact only where all of it was seen.
#[test]
fn what_is_absent_is_unknown_in_an_open_world() {
    let pod = |rest: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: a, namespace: a }}\n\
             spec: {{ containers: [{{ name: a }}] }}\n{rest}"
        )
    };
    let range = |namespace: &str| {
        pod(&format!(
            "---\napiVersion: v1\nkind: LimitRange\nmetadata: {{ name: a{namespace} }}\n\
             spec: {{ limits: [{{ type: Container, default: {{ memory: 1Gi }} }}] }}\n"
        ))
    };
    let unsaid = pod("---\nspec: {}\n");
    let foreign =
        pod("---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: a }\n");
    let (limit, isolated) = ("workload/memory-limit", "network/pods-are-isolated");
    for (text, guideline, world, expected) in [
        (pod(""), limit, World::Closed, "fail"),
        (pod(""), limit, World::Open, "unknown"),
        (range(", namespace: a"), limit, World::Open, "pass"),
        (range(", namespace: b"), limit, World::Closed, "fail"),
        (range(""), limit, World::Closed, "unknown"),
        (range(", namespace: '{{ .Release.Namespace }}'"), limit, World::Closed, "unknown"),
        (unsaid, limit, World::Closed, "unknown"),
        (pod(""), isolated, World::Closed, "fail"),
        (pod(""), isolated, World::Open, "unknown"),
        (foreign, isolated, World::Closed, "unknown"),
    ] {
        assert_eq!(check(&text, guideline, world), expected, "{guideline} {world:?} {text}");
    }
}

/// What a container says goes before what its pod says, also where it says less.
#[test]
fn a_container_that_takes_its_guard_off_is_not_confined_by_its_pod() {
    for (own, expected) in [
        ("{}", "pass"),
        ("{ seccompProfile: { type: Unconfined } }", "fail"),
        ("{ seccompProfile: { type: '{{ .Values.profile }}' } }", "unknown"),
        (
            "{ seccompProfile: { type: Unconfined }, appArmorProfile: { type: RuntimeDefault } }",
            "pass",
        ),
    ] {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: a }}\nspec:\n  securityContext: \
             {{ seccompProfile: {{ type: RuntimeDefault }} }}\n  containers: [{{ name: a, securityContext: {own} }}]\n"
        );
        assert_eq!(check(&text, "workload/hardened-linux", World::Open), expected, "{own}");
    }
}

/// A range holds more than the address that everybody knows.
#[test]
fn a_way_to_the_metadata_of_any_cloud_is_found() {
    let policy = |block: &str, port: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: a, namespace: b }}\n\
             spec: {{ podSelector: {{}}, policyTypes: [Egress], egress: [{{ to: [{{ ipBlock: {{ {block} }} }}]{port} }}] }}\n"
        )
    };
    for (block, port, expected) in [
        ("cidr: 169.254.0.0/16", "", "fail"),
        ("cidr: 169.254.0.0/16, except: [169.254.169.254/32]", "", "pass"),
        ("cidr: 100.64.0.0/10", "", "fail"),
        ("cidr: 100.64.0.0/10, except: [169.254.169.254/32]", "", "fail"),
        ("cidr: 100.64.0.0/10, except: [100.100.100.200/32]", "", "pass"),
        ("cidr: 168.63.129.16/32", "", "fail"),
        ("cidr: 168.63.129.16/32", ", ports: [{ port: 80 }]", "fail"),
        ("cidr: 168.63.129.16/32", ", ports: [{ port: 32526 }]", "fail"),
        ("cidr: 168.63.129.16/32", ", ports: [{ port: 30000, endPort: 33000 }]", "fail"),
        ("cidr: 169.254.0.0/16", ", ports: [{ port: 32526 }]", "pass"),
        ("cidr: 168.63.129.16/32", ", ports: [{ protocol: UDP, port: 53 }]", "pass"),
        ("cidr: 'fd00::/8', except: ['fd00:ec2::254/128']", "", "fail"),
        ("cidr: 'fd20:ce::/64'", "", "fail"),
        ("cidr: 'fd00:c1::/32'", "", "fail"),
        ("cidr: 'fd00:42::/32'", "", "fail"),
        ("cidr: 'fd00:43::/32'", "", "pass"),
        ("cidr: 10.0.0.0/8", "", "pass"),
    ] {
        let text = policy(block, port);
        let said = check(&text, "network/no-egress-to-metadata", World::Open);
        assert_eq!(said, expected, "{block}{port}");
    }
}

/// Rights that are written wrongly today are there once somebody puts them right.
#[test]
fn rights_are_read_as_the_server_reads_them_and_as_they_are_meant() {
    let role = |rule: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{ name: a }}\n\
             rules: [{{ {rule} }}]\n"
        )
    };
    for (rule, expected) in [
        ("apiGroups: [''], resources: [secrets], verbs: [get]", "fail"),
        ("apiGroups: [''], resources: [secret], verbs: [get]", "fail"),
        ("apiGroups: ['*'], resources: ['*'], verbs: ['*']", "fail"),
        ("apiGroups: [''], resources: [secrets], verbs: [get], resourceNames: [one]", "pass"),
        ("apiGroups: [example.com], resources: [secrets], verbs: [get]", "pass"),
        ("apiGroups: [''], resources: [secrets], verbs: [create]", "pass"),
        ("apiGroups: [''], resources: ['{{ .it }}'], verbs: [get]", "unknown"),
        ("apiGroups: [''], resources: [pods], verbs: ['{{ .it }}']", "pass"),
        ("apiGroups: ['{{ .it }}'], resources: [secrets], verbs: [get]", "unknown"),
    ] {
        assert_eq!(check(&role(rule), "access/no-secret-reading", World::Open), expected, "{rule}");
    }
    let gathered = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: { name: a }\n\
                    aggregationRule: {}\nrules: []\n";
    assert_eq!(check(gathered, "access/no-secret-reading", World::Open), "not applicable");
}
