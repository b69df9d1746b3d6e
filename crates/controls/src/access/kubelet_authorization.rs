//! A kubelet asks the API who may do what, and the API knows each kubelet.

mod proof;
mod sabotage;

use std::collections::BTreeSet;

use ringfort_model::certificate::{Authority, San, Subject, Usage};
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Document, Draft, Leaf};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/kubelet-authorization",
    title: "A kubelet asks the API who may do what, and API servers verify each kubelet",
    severity: Severity::Critical,
    refs: &[
        Ref::Cis("1.2.4"),
        Ref::Cis("1.2.5"),
        Ref::Cis("4.2.1"),
        Ref::Cis("4.2.2"),
        Ref::Cis("4.2.3"),
        Ref::Cis("4.2.4"),
        Ref::Cis("4.2.9"),
    ],
    limits: &[],
    doc: include_str!("kubelet_authorization.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The user that API servers are to kubelets; of no group, and least of all of `system:masters`.
pub(crate) const CLIENT: &str = "kube-apiserver-kubelet-client";

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.everywhere(|at| {
        at.set(Document::Kubelet, "authentication/anonymous/enabled", false);
        at.set(Document::Kubelet, "authentication/webhook/enabled", true);
        at.set(Document::Kubelet, "authentication/webhook/cacheTTL", "10s");
        at.set(Document::Kubelet, "authentication/x509/clientCAFile", paths::CA);
        at.set(Document::Kubelet, "authorization/mode", "Webhook");
        at.set(Document::Kubelet, "authorization/webhook/cacheAuthorizedTTL", "30s");
        at.set(Document::Kubelet, "authorization/webhook/cacheUnauthorizedTTL", "10s");
        at.set(Document::Kubelet, "readOnlyPort", 0);
        at.set(Document::Kubelet, "tlsCertFile", "/var/lib/kubelet/pki/serving.crt");
        at.set(Document::Kubelet, "tlsPrivateKeyFile", "/var/lib/kubelet/pki/serving.key");
        let node = at.name().clone();
        let names = [San::Dns(node.to_string()), San::Ip(at.address())];
        at.leaf(Leaf {
            stem: "/var/lib/kubelet/pki/serving",
            owner: Owner::ROOT,
            authority: Authority::Cluster,
            subject: Subject::member(format!("system:node:{node}"), "system:nodes"),
            usages: &[Usage::ServerAuth],
            names: BTreeSet::from(names),
        });
    });
    draft.control_planes(|at| {
        at.leaf(Leaf {
            stem: "/etc/kubernetes/pki/apiserver-kubelet-client",
            owner: Owner::ROOT,
            authority: Authority::Cluster,
            subject: Subject::user(CLIENT),
            usages: &[Usage::ClientAuth],
            names: BTreeSet::new(),
        });
        let api = Component::ApiServer;
        let stem = "/etc/kubernetes/pki/apiserver-kubelet-client";
        at.flag(api, "--kubelet-certificate-authority", paths::CA);
        at.flag(api, "--kubelet-client-certificate", format!("{stem}.crt"));
        at.flag(api, "--kubelet-client-key", format!("{stem}.key"));
        at.flag(api, "--kubelet-preferred-address-types", "InternalIP");
    });
    draft.object(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "ringfort:kubelet-api"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:kubelet-api-admin",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": CLIENT}],
    }));
}
