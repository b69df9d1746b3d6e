//! What the handed-over identity may not do, each tried for real and refused by the guard that is
//! there for it; and what it must still be able to do.

use crate::cluster::Cluster;

/// A pod that is in order in every respect.
const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: { name: tried, namespace: default }
spec:
  automountServiceAccountToken: false
  securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: tried
      image: ringfort.dev/probe:1
      args: [serve]
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
";

const HOST_VOLUME: &str = "\
apiVersion: v1
kind: PersistentVolume
metadata: { name: tried }
spec:
  capacity: { storage: 1Mi }
  accessModes: [ReadOnlyMany]
  hostPath: { path: /etc/kubernetes }
";

const ROOT_TEMPLATE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: tried, namespace: default }
spec:
  selector: { matchLabels: { app: tried } }
  template:
    metadata: { labels: { app: tried } }
    spec:
      containers: [{ name: tried, image: ringfort.dev/probe:1, securityContext: { runAsUser: 0 } }]
";

const FOR_EVERYBODY: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: tried }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:discovery }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:authenticated }]
";

/// What is made from a file, and the guard that refuses it.
fn made() -> Vec<(String, &'static str)> {
    let pod = |spec: &str| POD.replace("spec:\n", &format!("spec:\n  {spec}\n"));
    let root = POD.replace("runAsNonRoot: true, runAsUser: 65532", "runAsUser: 0");
    let control_plane = pod("nodeName: cp1");
    let users = pod("hostUsers: true");
    let everywhere = POD.replace("namespace: default", "namespace: kube-system");
    vec![
        (HOST_VOLUME.to_owned(), "volumes"),
        (control_plane, "control-planes"),
        (users, "user-namespaces"),
        (root, "non-root-pods"),
        (everywhere, "system-namespaces"),
        (ROOT_TEMPLATE.to_owned(), "non-root-templates"),
        (FOR_EVERYBODY.to_owned(), "bindings"),
    ]
}

const PRIVILEGED: &str = "pod-security.kubernetes.io/enforce=privileged";
const TOKENS: &str = r#"{"automountServiceAccountToken":true}"#;

/// What is said on the command line, and the guard that refuses it.
const SAID: &[(&[&str], &str)] = &[
    (&["label", "namespace", "default", PRIVILEGED], "pod-security-labels"),
    (&["-n", "kube-system", "exec", "kube-apiserver-cp1", "--", "true"], "system-namespaces"),
    (&["-n", "kube-system", "exec", "deployment/coredns", "--", "/coredns"], "system-namespaces"),
    (&["-n", "kube-system", "create", "configmap", "tried"], "system-namespaces"),
    (&["-n", "kube-system", "delete", "lease", "kube-controller-manager"], "system-namespaces"),
    (&["-n", "kube-system", "delete", "pod", "kube-apiserver-cp2"], "system-namespaces"),
    (&["annotate", "namespace", "kube-public", "a=b"], "system-namespaces"),
    (&["label", "namespace", "kube-system", "a=b"], "system-namespaces"),
    (&["-n", "kube-system", "create", "token", "clusterrole-aggregation-controller"], "system-"),
    (&["label", "clusterrole", "system:basic-user", "a=b"], "system-roles"),
    (&["delete", "clusterrolebinding", "ringfort:kubelet-api"], "system-roles"),
    (&["delete", "clusterrole", "view"], "system-roles"),
    (&["patch", "serviceaccount", "default", "-p", TOKENS], "default-account"),
];

pub fn refuse_each(cluster: &Cluster) {
    let mut passed = Vec::new();
    let mut try_it = |what: &str, arguments: &[&str], guard: &str| {
        let said = cluster.kubectl(arguments);
        let named = format!("ValidatingAdmissionPolicy '{guard}");
        if said.code == Some(0) || !said.stderr.contains(&named) {
            passed
                .push(format!("{what} was not refused by {guard}: {}{}", said.stdout, said.stderr));
        }
    };
    let file = cluster.directory.join("tried.yaml");
    for (text, guard) in made() {
        std::fs::write(&file, text).unwrap();
        try_it(guard, &["create", "--dry-run=server", "-f", &file.display().to_string()], guard);
    }
    for (arguments, guard) in SAID {
        try_it(&arguments.join(" "), arguments, guard);
    }
    assert_eq!(passed, Vec::<String>::new());
}

/// The guards are in nobody's way who administers workloads.
pub fn let_work_pass(cluster: &Cluster) {
    let file = cluster.directory.join("tried.yaml");
    std::fs::write(&file, POD).unwrap();
    let file = file.display().to_string();
    let role = ["create", "role", "reader", "--verb=get,list", "--resource=pods"];
    let binding = ["create", "rolebinding", "reader", "--role=reader", "--user=ann@example.com"];
    let evicted = ["drain", "w2", "--ignore-daemonsets", "--force", "--dry-run=server"];
    for arguments in [
        &["create", "--dry-run=server", "-f", &file][..],
        &["create", "namespace", "work"],
        &["-n", "work", "create", "configmap", "a", "--from-literal=b=c"],
        &[&["-n", "work"], &role[..]].concat(),
        &[&["-n", "work"], &binding[..]].concat(),
        &["-n", "kube-system", "get", "pods"],
        &["-n", "kube-system", "logs", "deployment/coredns", "--tail=1"],
        &evicted,
        &["cordon", "w2"],
        &["uncordon", "w2"],
        &["delete", "namespace", "work"],
    ] {
        let said = cluster.kubectl(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
    }
}
