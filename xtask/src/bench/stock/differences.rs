//! Where ringfort and kube-bench say different things of a cluster that kubeadm made as it comes, and why.

/// Recommendations of which the two say different things for one reason.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Difference {
    /// Their numbers.
    pub(super) rows: &'static [&'static str],
    /// Whether kube-bench is content.
    pub(super) is_held: bool,
    /// Why ringfort says otherwise.
    pub(super) why: &'static str,
}

/// All that is known.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        rows: &["1.1.13", "1.1.14"],
        is_held: false,
        why: "kube-bench's script names the two files by braces, which Debian's sh does not expand: it looks at neither",
    },
    Difference {
        rows: &["1.1.20", "4.1.7"],
        is_held: false,
        why: "certificates are public: the newer benchmark asks that only root writes them, and kube-bench's that \
              nobody else reads them",
    },
    Difference {
        rows: &["1.3.1"],
        is_held: false,
        why: "kube-bench wants the flag; what holds without it is the default, 12500, and that is a limit",
    },
    Difference {
        rows: &["4.1.3", "4.1.4", "4.3.1"],
        is_held: false,
        why: "kube-proxy has no image here and does not run; kube-bench looks for what it would read and serve",
    },
    Difference {
        rows: &["4.2.11"],
        is_held: true,
        why: "kube-bench looks at the feature gate, which is on by default and rotates nothing alone: without \
              serverTLSBootstrap a kubelet serves a certificate that it signed itself",
    },
];
