//! DISA's Kubernetes STIG: which rows of the CIS benchmark decide a requirement of it, and what keeps those that none
//! decides. Numbers are those of its public encoding, words are our own.

use crate::benchmark::{Kept, Row, rows};

/// What it is called here.
pub const NAME: &str = "stig-v1r6";
/// Where its numbers and what they are about were read.
pub const SOURCE: &str = "kube-bench v0.8.0, cfg/eks-stig-kubernetes-v1r6, and for V-242424 and V-242454 the stubs of \
                          U_Kubernetes_STIG_V1R5 in mitre/inspec-profile-update-action";

/// A requirement: its number, what holds when it is kept, and what answers for it.
pub type Requirement = (&'static str, &'static str, Answer);

/// What answers for a requirement.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// These rows of the benchmark: `ringfort check` decides them on any cluster.
    By(&'static [&'static str]),
    /// No row; this is what ringfort's own clusters make of it.
    Own(Kept),
}

impl Answer {
    /// Gives the rows, in the order in which they are named.
    pub fn rows(&self) -> Vec<&'static Row> {
        match self {
            Self::By(ids) => ids.iter().filter_map(|id| rows().find(|row| row.id == *id)).collect(),
            Self::Own(_) => Vec::new(),
        }
    }

    /// Gives what keeps it on ringfort's own clusters, for each part of it.
    pub fn kept(&self) -> Vec<Kept> {
        match self {
            Self::By(_) => self.rows().iter().map(|row| row.kept).collect(),
            Self::Own(kept) => vec![*kept],
        }
    }
}

use Answer::{By, Own};

/// Every requirement.
pub const REQUIREMENTS: &[Requirement] = &[
    ("V-242376", "Controller managers speak TLS 1.2 at least", Own(Kept::By("network/tls-1-3"))),
    ("V-242377", "Schedulers speak TLS 1.2 at least", Own(Kept::By("network/tls-1-3"))),
    ("V-242378", "API servers speak TLS 1.2 at least", Own(Kept::By("network/tls-1-3"))),
    ("V-242379", "etcd makes no certificates of its own for clients", By(&["2.3"])),
    ("V-242380", "etcd makes no certificates of its own for members", By(&["2.6"])),
    ("V-242381", "Each controller has rights of its own", By(&["1.3.3"])),
    ("V-242382", "Nodes and roles decide who may do what", By(&["1.2.7", "1.2.8"])),
    ("V-242383", "What people make lies in namespaces made for it", By(&["5.6.1", "5.6.4"])),
    ("V-242384", "Schedulers listen to their own machine only", By(&["1.4.2"])),
    ("V-242385", "Controller managers listen to their own machine only", By(&["1.3.7"])),
    ("V-242386", "API servers have no port without TLS", Own(Kept::By("network/tls-1-3"))),
    ("V-242387", "Kubelets have no port that asks nobody who he is", By(&["4.2.4"])),
    ("V-242388", "API servers have no address without TLS", Own(Kept::By("network/tls-1-3"))),
    ("V-242389", "API servers have a port with TLS", Own(Kept::By("network/tls-1-3"))),
    ("V-242390", "API servers refuse requests without a name", By(&["1.2.1"])),
    ("V-242391", "Kubelets refuse requests without a name", By(&["4.2.1"])),
    ("V-242392", "Kubelets ask who may do what", By(&["4.2.2"])),
    (
        "V-242393",
        "No SSH server runs on workers",
        Own(Kept::Not(
            "ringfort reaches machines over SSH; who takes that away reaches them by their console",
        )),
    ),
    (
        "V-242394",
        "No SSH server starts on workers",
        Own(Kept::Not(
            "ringfort reaches machines over SSH; who takes that away reaches them by their console",
        )),
    ),
    (
        "V-242395",
        "No dashboard is there",
        Own(Kept::Not(
            "ringfort installs none, and `ringfort check` finds one by `access/no-dashboard`",
        )),
    ),
    (
        "V-242396",
        "kubectl cp comes from a version that is safe to use",
        Own(Kept::By("versions/pinned-by-digest")),
    ),
    (
        "V-242397",
        "Kubelets start no static pods",
        Own(Kept::Partly(
            "ha/three-control-planes",
            "workers start none; control planes are made of them, in a directory that is watched",
        )),
    ),
    (
        "V-242398",
        "The API takes no audit backends as objects",
        Own(Kept::Not("Kubernetes has it no more")),
    ),
    (
        "V-242399",
        "Kubelets take no configuration from the API",
        Own(Kept::Not("Kubernetes has it no more")),
    ),
    (
        "V-242400",
        "No alpha versions of the API are served",
        Own(Kept::Not("Kubernetes serves none unless it is asked to, and ringfort asks for none")),
    ),
    ("V-242401", "A policy says what is written to the audit log", By(&["3.2.1"])),
    ("V-242402", "API servers write an audit log", By(&["1.2.16"])),
    ("V-242403", "What matters is written to the audit log", By(&["3.2.2"])),
    ("V-242404", "Kubelets take the machine's own name", By(&["4.2.7"])),
    (
        "V-242405",
        "Static pods of the control plane belong to root",
        By(&["1.1.2", "1.1.4", "1.1.6", "1.1.8"]),
    ),
    ("V-242406", "The kubelet's configuration belongs to root", By(&["4.1.10"])),
    ("V-242407", "The kubelet's configuration is root's to write alone", By(&["4.1.9"])),
    (
        "V-242408",
        "Static pods of the control plane are root's to write alone",
        By(&["1.1.1", "1.1.3", "1.1.5", "1.1.7"]),
    ),
    ("V-242409", "Controller managers are not profiled", By(&["1.3.2"])),
    (
        "V-242410",
        "API servers listen where an organisation allows it",
        Own(Kept::Partly(
            "network/loopback-only",
            "what listens and to whom is proved; which ports an organisation registered only that can say",
        )),
    ),
    (
        "V-242411",
        "Schedulers listen where an organisation allows it",
        Own(Kept::Partly(
            "network/loopback-only",
            "what listens and to whom is proved; which ports an organisation registered only that can say",
        )),
    ),
    (
        "V-242412",
        "Controller managers listen where an organisation allows it",
        Own(Kept::Partly(
            "network/loopback-only",
            "what listens and to whom is proved; which ports an organisation registered only that can say",
        )),
    ),
    (
        "V-242413",
        "etcd listens where an organisation allows it",
        Own(Kept::Partly(
            "network/loopback-only",
            "what listens and to whom is proved; which ports an organisation registered only that can say",
        )),
    ),
    ("V-242414", "Pods do not take ports of the machine that only root may", By(&["5.2.12"])),
    ("V-242415", "Pods get secrets as files", By(&["5.4.1"])),
    ("V-242417", "What people do is parted from what runs the cluster", By(&["5.6.1"])),
    ("V-242418", "API servers speak strong ciphers only", By(&["1.2.29"])),
    ("V-242419", "API servers know whose client certificates count", By(&["1.2.25"])),
    ("V-242420", "Kubelets know whose client certificates count", By(&["4.2.3"])),
    ("V-242421", "Pods are told whom to trust", By(&["1.3.5"])),
    ("V-242422", "API servers show a certificate that was made for them", By(&["1.2.24"])),
    ("V-242423", "etcd asks clients for a certificate", By(&["2.2"])),
    ("V-242424", "Kubelets have a key for what they show", By(&["4.2.9"])),
    ("V-242425", "Kubelets show a certificate that was made for them", By(&["4.2.9"])),
    ("V-242426", "etcd's members ask each other for certificates", By(&["2.5"])),
    ("V-242427", "etcd has a key for what it shows clients", By(&["2.1"])),
    ("V-242428", "etcd shows clients a certificate", By(&["2.1"])),
    ("V-242429", "API servers check etcd's certificate", By(&["1.2.26"])),
    ("V-242430", "API servers show etcd a certificate", By(&["1.2.23"])),
    ("V-242431", "API servers have a key for what they show etcd", By(&["1.2.23"])),
    ("V-242432", "etcd's members show each other certificates", By(&["2.4"])),
    ("V-242433", "etcd's members have keys for what they show each other", By(&["2.4"])),
    (
        "V-242434",
        "Kubelets change no settings of the kernel",
        Own(Kept::By("node/kernel-settings")),
    ),
    ("V-242435", "Not everything is authorised, and roles decide", By(&["1.2.6", "1.2.8"])),
    (
        "V-242436",
        "Webhooks may refuse objects",
        Own(Kept::Otherwise(
            "access/pod-security",
            "Kubernetes has the plugin on by itself; what is not let in is refused by policies of the API server, which no webhook is needed for",
        )),
    ),
    ("V-242438", "Requests end after a time that fits", By(&["1.2.20"])),
    (
        "V-242442",
        "What an update replaced is taken away",
        Own(Kept::By("versions/pinned-by-digest")),
    ),
    (
        "V-242443",
        "What runs has the latest fixes",
        Own(Kept::Partly(
            "versions/pinned-by-digest",
            "what runs is what a bundle says; that this is the newest, whoever builds it sees to",
        )),
    ),
    ("V-242444", "Static pods of components belong to root", By(&["1.1.2", "1.1.4", "1.1.6"])),
    ("V-242445", "etcd's data belong to a user of its own", By(&["1.1.12"])),
    (
        "V-242446",
        "Kubeconfigs of the control plane belong to root",
        By(&["1.1.14", "1.1.16", "1.1.18"]),
    ),
    ("V-242447", "kube-proxy's kubeconfig is root's to write alone", By(&["4.1.3"])),
    ("V-242448", "kube-proxy's kubeconfig belongs to root", By(&["4.1.4"])),
    ("V-242449", "Nobody but root changes whom the kubelet trusts", By(&["4.1.7"])),
    ("V-242450", "The certificate of whom the kubelet trusts belongs to root", By(&["4.1.8"])),
    ("V-242451", "Certificates and keys belong to root", By(&["1.1.19"])),
    (
        "V-242452",
        "The kubelet's configuration is root's to write alone, also where it is a kubeconfig",
        By(&["4.1.5", "4.1.9"]),
    ),
    (
        "V-242453",
        "The kubelet's configuration belongs to root, also where it is a kubeconfig",
        By(&["4.1.6", "4.1.10"]),
    ),
    ("V-242454", "What starts the kubelet belongs to root", By(&["4.1.2"])),
    ("V-242455", "What starts the kubelet is root's to write alone", By(&["4.1.1"])),
    (
        "V-242456",
        "The kubelet's configuration is root's to write alone, in every file of it",
        By(&["4.1.9"]),
    ),
    (
        "V-242457",
        "The kubelet's configuration belongs to root, in every file of it",
        By(&["4.1.10"]),
    ),
    ("V-242458", "The API server's static pod is root's to write alone", By(&["1.1.1"])),
    ("V-242459", "etcd's static pod and data are its own to write alone", By(&["1.1.7", "1.1.11"])),
    (
        "V-242460",
        "An administrator's kubeconfig on a machine is root's to write alone",
        By(&["1.1.13"]),
    ),
    ("V-242461", "The audit log is on", By(&["1.2.16", "3.2.1"])),
    ("V-242462", "Audit logs grow to a size that is set", By(&["1.2.19"])),
    ("V-242463", "Old audit logs are kept, as many as is set", By(&["1.2.18"])),
    ("V-242464", "Audit logs are kept for a time that is set", By(&["1.2.17"])),
    ("V-242465", "The audit log has a path", By(&["1.2.16"])),
    ("V-242466", "Nobody but root changes certificates", By(&["1.1.20"])),
    ("V-242467", "Keys are root's to read alone", By(&["1.1.21"])),
    ("V-242468", "API servers refuse TLS 1.1 and what is older", Own(Kept::By("network/tls-1-3"))),
    ("V-245541", "Idle streams end", By(&["4.2.5"])),
    (
        "V-245542",
        "No file of passwords lets anybody in",
        Own(Kept::Not("Kubernetes has it no more")),
    ),
    ("V-245543", "No file of tokens lets anybody in", By(&["1.2.2"])),
    ("V-245544", "API servers show kubelets a certificate", By(&["1.2.4"])),
];

#[cfg(test)]
mod tests {
    use super::{Answer, REQUIREMENTS};

    #[test]
    fn requirements_stand_once_in_their_order_and_name_rows_that_there_are() {
        assert!(REQUIREMENTS.is_sorted_by(|one, other| one.0 < other.0));
        for (id, title, answer) in REQUIREMENTS {
            assert!(!title.is_empty() && !answer.kept().is_empty(), "{id}");
            if let Answer::By(ids) = answer {
                assert_eq!(answer.rows().len(), ids.len(), "{id} names a row that is not there");
            }
        }
    }
}
