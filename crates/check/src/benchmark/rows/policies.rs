//! Section 5: what objects of the API say.

use super::{Ask, Kept, Needs, Of, Row, manual, second};
use crate::benchmark::{network, usage, whole};
use crate::guidelines::workload::namespace_of_its_own::WORKLOADS;

/// The guideline that every namespace asks for a level.
pub(in crate::benchmark) const ENFORCED: &str = "workload/pod-security-is-enforced";
const POD_SECURITY: Kept = Kept::By("access/pod-security");
const NARROW: Kept = Kept::By("access/admin-is-narrow");
const ROLES: Kept = Kept::By("access/no-escalating-roles");

/// Rows about rights and service accounts.
#[rustfmt::skip]
pub(super) static RIGHTS: &[Row] = &[
    manual("5.1.1", "Full administrators are those who need it", Kept::By("access/no-cluster-admin"), Ask::Rights(&["access/no-cluster-admin-binding"])),
    manual("5.1.2", "Secrets are read by those who need it", Kept::Partly("access/no-escalating-roles", "administrators of workloads read the secrets of their namespaces"), Ask::Rights(&["access/no-secret-reading"])),
    manual("5.1.3", "Rights name what they are for", ROLES, Ask::Guidelines(&["access/no-wildcards"])),
    manual("5.1.4", "Pods are made by those who need it", NARROW, Ask::Rights(&["access/no-pod-writing"])),
    manual("5.1.5", "The service account `default` is used by nobody", Kept::By("workload/default-account"), Ask::Guidelines(&["access/default-account-unbound", "workload/own-account"])),
    manual("5.1.6", "Tokens are mounted where they are used", Kept::By("workload/default-account"), Ask::Whole(Needs::AuditLog, &["workload/no-token-mount"], Of::Kinds(&["Pod"]), usage::tokens_are_used)),
    manual("5.1.7", "Nobody uses the group system:masters", Kept::By("access/admin-is-narrow"), Ask::Callers(usage::AS_MASTER, &["access/no-masters"])),
    manual("5.1.8", "Nobody can take more rights than were given", ROLES, Ask::Rights(&["access/no-escalating", "access/no-impersonation"])),
    manual("5.1.9", "PersistentVolumes are made by those who need it", Kept::By("access/no-host-volumes"), Ask::Rights(&["access/no-volume-writing"])),
    manual("5.1.10", "Kubelets are reached through the API by those who need it", NARROW, Ask::Rights(&["access/no-node-proxy"])),
    manual("5.1.11", "Certificates are approved by those who need it", NARROW, Ask::Rights(&["access/no-certificate-approval"])),
    manual("5.1.12", "Webhooks are configured by those who need it", Kept::By("access/admission-objects"), Ask::Rights(&["access/no-admission-writing"])),
    manual("5.1.13", "Tokens are made by those who need it", Kept::By("access/system-accounts"), Ask::Rights(&["access/no-token-requests"])),
];

/// Rows about which pods are let in.
#[rustfmt::skip]
pub(super) static PODS: &[Row] = &[
    manual("5.2.1", "Something decides which pods are let in, in every namespace", POD_SECURITY, Ask::Guidelines(&[ENFORCED])),
    manual("5.2.2", "Privileged containers are not let in", Kept::By("access/no-privileged-containers"), Ask::Guidelines(&[ENFORCED, "workload/not-privileged"])),
    manual("5.2.3", "Pods do not see the machine's processes", POD_SECURITY, Ask::Guidelines(&[ENFORCED, "workload/own-process-namespace"])),
    manual("5.2.4", "Pods do not speak with the machine's processes", POD_SECURITY, Ask::Guidelines(&[ENFORCED, "workload/own-ipc-namespace"])),
    manual("5.2.5", "Pods do not use the machine's network", POD_SECURITY, Ask::Guidelines(&[ENFORCED, "workload/own-network-namespace"])),
    manual("5.2.6", "Containers gain no rights after they started", POD_SECURITY, Ask::Guidelines(&[RESTRICTED, "workload/no-privilege-escalation"])),
    second(manual("5.2.7", "Containers do not run as root", Kept::By("access/non-root"), Ask::Guidelines(&[RESTRICTED, "workload/non-root"]))),
    manual("5.2.8", "Containers send no raw packets", POD_SECURITY, Ask::Guidelines(&[RESTRICTED, "workload/capabilities-dropped"])),
    second(manual("5.2.9", "Containers get no more capabilities", POD_SECURITY, Ask::Guidelines(&[RESTRICTED, "workload/no-added-capabilities"]))),
    manual("5.2.10", "Pods are no processes of a Windows machine", POD_SECURITY, Ask::Guidelines(&[ENFORCED, "workload/no-windows-host-process"])),
    manual("5.2.11", "Pods do not mount directories of the machine", Kept::By("access/no-host-volumes"), Ask::Guidelines(&[ENFORCED, "workload/no-host-paths"])),
    manual("5.2.12", "Pods do not listen at ports of the machine", POD_SECURITY, Ask::Guidelines(&[ENFORCED, "workload/no-host-ports"])),
];

/// Stands for the guideline that every namespace asks for the level restricted.
pub(in crate::benchmark) const RESTRICTED: &str = "restricted";

/// Rows about network policies.
#[rustfmt::skip]
pub(super) static NETWORK: &[Row] = &[
    manual("5.3.1", "The network plugin enforces NetworkPolicies", Kept::By("network/network-policy"), Ask::Machine(network::is_enforced)),
    second(manual("5.3.2", "NetworkPolicies hold in every namespace", Kept::By("network/default-deny"), Ask::Whole(Needs::Objects, &["network/pods-are-isolated"], Of::Workloads, network::is_isolated))),
];

/// Rows about secrets.
#[rustfmt::skip]
pub(super) static SECRETS: &[Row] = &[
    second(manual("5.4.1", "Pods get secrets as files", Kept::Not("what workloads do is theirs"), Ask::Guidelines(&["data/secrets-as-files"]))),
    second(manual("5.4.2", "Secrets are kept outside the cluster", Kept::Not("they are encrypted in etcd"), Ask::Whole(Needs::Intent, &[], Of::Nothing, whole::secrets_are_outside))),
];

/// Rows about images.
#[rustfmt::skip]
pub(super) static IMAGES: &[Row] = &[
    second(manual("5.5.1", "Images come from where they should", Kept::Not("what ringfort itself brings is pinned by digest; workloads' images are theirs"), Ask::Whole(Needs::Objects, &[], Of::Nothing, whole::images_are_judged))),
];

/// Rows about namespaces and contexts.
#[rustfmt::skip]
pub(super) static CONTEXTS: &[Row] = &[
    manual("5.6.1", "Namespaces part what does not belong together", Kept::Not("what belongs together is for users to say"), Ask::Whole(Needs::Intent, &["workload/namespace-of-its-own"], Of::Workloads, whole::namespaces_part)),
    second(manual("5.6.2", "Pods have a seccomp profile", Kept::By("workload/seccomp"), Ask::Guidelines(&["workload/seccomp-is-set"]))),
    second(manual("5.6.3", "Pods say what they may", POD_SECURITY, Ask::Guidelines(&["workload/security-context"]))),
    second(manual("5.6.4", "Nothing runs in the namespace `default`", Kept::Not("what workloads do is theirs"), Ask::Whole(Needs::Objects, &["workload/namespace-of-its-own"], Of::Kinds(WORKLOADS), whole::default_is_empty))),
];
