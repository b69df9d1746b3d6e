//! What pods tell that try what they reach.

/// Pods that try what they reach.
pub(super) const FENCED: [&str; 3] = ["canary-closed", "canary-caller", "canary-named"];

/// What a pod tells that reaches nothing.
pub(super) const CLOSED: &str = "\
resolve kubernetes.default.svc.cluster.local 10.96.0.1
dial 10.96.0.1:443 silent
dial 169.254.169.254:80 silent
dial 10.244.3.7:8080 silent
dial 10.0.0.11:10250 silent
dial 10.0.0.12:10250 silent
dial 10.0.0.13:10250 silent
dial 10.0.0.21:10250 silent
dial 10.0.0.22:10250 silent
dial 10.0.0.23:10250 silent
dial 10.0.0.11:2379 silent
dial 10.0.0.12:2379 silent
dial 10.0.0.13:2379 silent
dial 10.0.0.11:6443 silent
dial 10.0.0.12:6443 silent
dial 10.0.0.13:6443 silent
tried
";

/// What a pod tells that reaches what it may.
pub(super) const OPEN: &str = "\
dial 10.244.3.7:8080 open
dial 10.244.3.7:8081 silent
dial 10.244.3.9:8080 silent
dial 10.96.0.1:443 silent
dial 10.0.0.11:10250 silent
dial 10.0.0.12:10250 silent
dial 10.0.0.13:10250 silent
dial 10.0.0.21:10250 silent
dial 10.0.0.22:10250 silent
dial 10.0.0.23:10250 silent
tried
";
