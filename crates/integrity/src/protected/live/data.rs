//! Where a component has its data wherever nobody says otherwise. Pure.

use crate::path::FilePath;

/// Directories of data, by the component whose they are, with the setting that names each.
const USUAL: &[(&str, &str, &str)] = &[
    ("containerd", "/var/lib/containerd", "root, as its defaults have it"),
    ("etcd", "/var/lib/etcd", "data-dir, as kubeadm has it"),
    ("etcd", "/var/lib/etcd/data", "data-dir, as ringfort has it"),
    ("kubelet", "/var/lib/kubelet", "root-dir, as its defaults have it"),
];

/// Says whether a component has its data where everybody has it. Whoever names another place for them names other data: the
/// programs of all pods, or all objects.
pub fn is_usual_data(program: &str, path: &FilePath) -> bool {
    USUAL.iter().any(|(of, usual, _)| *of == program && usual.as_bytes() == path.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{USUAL, is_usual_data};
    use crate::protected::live::program;

    #[test]
    fn data_are_where_everybody_has_them_and_nowhere_else() {
        let check = |of: &str, path: &str, expected| {
            assert_eq!(is_usual_data(of, &path.parse().unwrap()), expected, "{of} {path}");
        };
        check("etcd", "/var/lib/etcd", true);
        check("etcd", "/var/lib/etcd/data", true);
        check("etcd", "/var/lib/etcd/other", false);
        check("etcd", "/var/lib/etcdx", false);
        check("etcd", "/srv/etcd", false);
        check("kubelet", "/var/lib/etcd", false);
        check("containerd", "/var/lib/containerd", true);
        check("containerd", "/opt/containerd", false);
        check("kubelet", "/var/lib/kubelet", true);
        check("kubelet", "/var/lib/kubelet/pods", false);
        assert!(USUAL.iter().all(|(of, _, setting)| program(of).is_some() && !setting.is_empty()));
    }
}
