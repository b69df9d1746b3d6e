//! What kube-bench is not content with on a cluster of the default profile, why that is no fault, and the
//! control whose proof holds instead.

/// Tests with one reason.
pub(super) struct Entry {
    /// Their numbers in kube-bench's benchmark.
    pub(super) tests: &'static [&'static str],
    /// Why what they found is no fault.
    pub(super) why: &'static str,
    /// The control that holds what they are after.
    pub(super) control: &'static str,
}

/// The whole ledger, by number.
pub(super) const LEDGER: &[Entry] = &[
    Entry {
        tests: &["1.1.9", "1.1.10"],
        why: "asked of a flag that kubelet lost in 1.24, so nothing was looked at; the network's \
              configuration is root's, with mode 600",
        control: "node/closed-files",
    },
    Entry {
        tests: &["1.1.13", "1.1.14"],
        why: "there is no credential of an administrator on any machine",
        control: "access/no-cluster-admin",
    },
    Entry {
        tests: &["1.1.16", "1.1.18"],
        why: "scheduler and controller manager do not run as root: each kubeconfig belongs to the user \
              that reads it, with mode 600",
        control: "node/components-drop-rights",
    },
    Entry {
        tests: &["1.1.20", "4.1.7"],
        why: "certificates are public; CIS 2.0.1 asks 644, which they have, where this older one asked \
              600; keys have 600",
        control: "node/closed-files",
    },
    Entry {
        tests: &["1.2.1"],
        why: "anonymous requests are shut by the authentication configuration, which a flag cannot be \
              given beside; health alone answers them",
        control: "access/anonymous-is-shut",
    },
    Entry {
        tests: &["1.2.3"],
        why: "the plugin is on; this kube-bench compares by an operator that it does not have (`have`)",
        control: "access/no-external-ips",
    },
    Entry {
        tests: &["1.2.6", "1.2.7", "1.2.8"],
        why: "Node and RBAC stand in the authorization configuration, which is a file; the flag that is \
              looked for cannot be given beside",
        control: "access/node-and-rbac",
    },
    Entry {
        tests: &["1.2.11"],
        why: "AlwaysPullImages asks a registry for what only machines have; who may use an image is \
              asked by kubelet, image by image",
        control: "access/image-credentials",
    },
    Entry {
        tests: &["1.2.29", "4.2.12"],
        why: "TLS 1.3 alone is spoken, whose suites are all strong and cannot be chosen by a flag",
        control: "network/tls-1-3",
    },
    Entry {
        tests: &["1.3.4"],
        why: "controllers get tokens from the API, so no key that signs tokens lies with the controller \
              manager",
        control: "access/service-account-tokens",
    },
    Entry {
        tests: &["4.1.3", "4.1.4"],
        why: "looked for by a name of kubeadm's and not found; kube-proxy's kubeconfig is root's, with \
              mode 600",
        control: "node/closed-files",
    },
    Entry {
        tests: &["4.2.6"],
        why: "the chains are a hint for users of iptables; rules here are nftables' own",
        control: "ha/nodes-are-ready",
    },
    Entry {
        tests: &["4.2.7"],
        why: "the name is the one of the specification, which its certificate carries; it is not \
              another than the machine's",
        control: "ha/nodes-are-ready",
    },
    Entry {
        tests: &["4.2.10"],
        why: "no machine asks for certificates, since none can sign: `ringfort up` renews them",
        control: "access/no-signers",
    },
    Entry {
        tests: &["5.1.2", "5.1.4"],
        why: "asked by impersonation, which the identity that was handed over may not do; what \
              authenticated users may do is proved without",
        control: "access/admin-is-narrow",
    },
    Entry {
        tests: &["5.1.3"],
        why: "the wildcards are those of roles that Kubernetes itself makes at each start",
        control: "access/system-roles",
    },
    Entry {
        tests: &["5.1.6"],
        why: "CoreDNS reads Services, so its own pods alone mount a token; control planes' pods have no \
              account at all",
        control: "workload/default-account",
    },
];
