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
pub(super) const DIFFERENCES: &[Difference] = &[];
