//! Where things lie on machines: kubeadm's layout, so that what people know still works.

/// Kubernetes' own directory.
pub const KUBERNETES: &str = "/etc/kubernetes";
/// Certificates and keys of components that run as root.
pub const PKI: &str = "/etc/kubernetes/pki";
/// Certificate of the cluster's authority.
pub const CA: &str = "/etc/kubernetes/pki/ca.crt";
/// Certificate of the authority for forwarded requests.
pub const FRONT_PROXY_CA: &str = "/etc/kubernetes/pki/front-proxy-ca.crt";
/// Certificate of the authority for etcd's clients.
pub const ETCD_CLIENT_CA: &str = "/etc/kubernetes/pki/etcd-client-ca.crt";
/// The key with which an API server signs service accounts' tokens; made there.
pub const SERVICE_ACCOUNT_KEY: &str = "/etc/kubernetes/pki/sa.key";
/// Public halves of all such keys, each file named by its key id.
pub const SERVICE_ACCOUNT_PUBLIC: &str = "/etc/kubernetes/pki/service-account";
/// Static pods.
pub const MANIFESTS: &str = "/etc/kubernetes/manifests";
/// The admission configuration and the guards, each kind in a directory below.
pub const ADMISSION: &str = "/etc/kubernetes/admission";
/// The admission configuration itself.
pub const ADMISSION_CONFIG: &str = "/etc/kubernetes/admission/config";
/// The API servers' audit policy.
pub const AUDIT: &str = "/etc/kubernetes/audit";
/// The API servers' logs.
pub const LOGS: &str = "/var/log/kubernetes";
/// An API server's audit log.
pub const AUDIT_LOG: &str = ringfort_model::integrity::AUDIT_LOG;
/// Where what an API server logged is kept.
pub const AUDIT_STORE: &str = "/var/lib/ringfort-audit";
/// Where a control plane keeps what it saw of another's log, and its key.
pub const WITNESS: &str = "/var/lib/ringfort-witness";
/// How what the machine's API server counts compares with what is kept of its log.
pub const COUNT: &str = "/var/lib/ringfort-witness/count";
/// What another control plane signed of its own.
pub const WITNESSED: &str = "/var/lib/ringfort-witness/witnessed";
/// What agents of machines delivered and is not kept yet.
pub const RECEIVED: &str = "/var/lib/ringfort-received";
/// What other control planes keep, as it is brought to be judged with what this one keeps. In memory.
pub const TOGETHER: &str = "/run/ringfort-together";
/// What an agent found and nobody has taken yet.
pub const REPORT: &str = "/var/lib/ringfort-report";
/// With what a machine's agent is known where it delivers that.
pub const REPORT_PAPERS: &str = "/etc/ringfort/report";
/// With what control planes know each other there.
pub const WITNESS_PAPERS: &str = "/etc/kubernetes/witness";
/// What a site adds to what is looked for in it, and where findings are told.
pub const AUDIT_SITE: &str = "/etc/kubernetes/audit-site";
/// The token that the receiver of findings asks for.
pub const FINDINGS_TOKEN: &str = "/etc/kubernetes/audit-site/webhook-token";
/// What waits to be told of findings, and up to where they were.
pub const TELL: &str = "/var/lib/ringfort-tell";
/// Numbers for Prometheus, where node exporter's textfile collector reads them.
pub const METRICS: &str = "/var/lib/ringfort-metrics";
/// The API servers' encryption configuration.
pub const ENCRYPTION: &str = "/etc/kubernetes/encryption/config.yaml";
/// etcd's keys, where its own user can read them.
pub const ETCD_PKI: &str = "/etc/etcd";
/// etcd's data.
pub const ETCD: &str = "/var/lib/etcd";
/// kubelet's directory.
pub const KUBELET: &str = "/var/lib/kubelet";
/// kubelet's configuration.
pub const KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";
/// kubelet's kubeconfig.
pub const KUBELET_CONF: &str = "/etc/kubernetes/kubelet.conf";
/// kube-proxy's configuration.
pub const PROXY_CONFIG: &str = "/etc/kubernetes/kube-proxy.yaml";
/// kube-proxy's kubeconfig.
pub const PROXY_CONF: &str = "/etc/kubernetes/kube-proxy.conf";
/// What kubelet gives to pods that ask for the machine's own name servers.
pub const RESOLV_CONF: &str = "/etc/kubernetes/resolv.conf";
/// The addresses that the balancer chooses from.
pub const BALANCER: &str = "/etc/kubernetes/balancer.conf";
/// The routes between machines.
pub const ROUTES: &str = "/etc/kubernetes/routes.json";
/// What the enforcer of network policies is told.
pub const NETWORK_POLICY: &str = "/etc/kubernetes/network-policy.json";
/// The machine's own WireGuard key; made there.
pub const TUNNEL_KEY: &str = "/etc/kubernetes/wireguard.key";
/// Programs of the bundle.
pub const PROGRAMS: &str = "/usr/local/bin";
/// Network plugins of the bundle.
pub const PLUGINS: &str = "/opt/cni/bin";
/// Units.
pub const UNITS: &str = "/etc/systemd/system";

/// Where every component of a machine reaches the API, through the machine's own balancer.
pub const SERVER: &str = "https://127.0.0.1:6444";
/// Where the balancer listens.
pub const BALANCER_LISTENS: &str = "127.0.0.1:6444";
