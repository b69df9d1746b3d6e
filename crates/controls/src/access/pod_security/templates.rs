//! The restricted standard for pods to come. Pod Security judges pods alone: a Deployment of privileged pods
//! is admitted, and its pods fail one by one where nobody looks. So templates are judged as they are written.
//!
//! What runs as root is another control's to refuse, in templates too; and what a template leaves unsaid of
//! system calls is filled into its pods.

use serde_json::{Value, json};

use crate::admission::{Policy, TEMPLATES, constraints, refuse_unless};

/// Writes the policies.
pub(super) fn policies(exempt: &[String]) -> [Policy; 2] {
    let names = ["pod-security-templates", "pod-security-cronjobs"];
    let [templates, cronjobs] = TEMPLATES;
    [(names[0], templates), (names[1], cronjobs)].map(|(name, templates)| {
        let spec = json!({
            "matchConstraints": constraints(&templates.rules(), exempt),
            "variables": [
                {"name": "template", "expression": templates.template},
                {"name": "pod", "expression": "variables.template.spec"},
                {"name": "containers", "expression":
                    "variables.pod.containers + variables.pod.?initContainers.orValue([])"},
            ],
            "validations": validations(),
        });
        Policy { name, spec }
    })
}

fn validations() -> Value {
    let all = |test: &str| format!("variables.containers.all(c,\n  {test})");
    let pod = |expression: &str, message: &str| {
        refuse_unless(expression, &format!("{message}: restricted pods, also those of a template"))
    };
    json!([
        pod(NO_HOST_NAMESPACE, "hostNetwork, hostPID and hostIPC must not be true"),
        pod(VOLUMES, "volumes are of kinds that hold nothing of the machine"),
        pod(&all(NOT_PRIVILEGED), "no container is privileged or a host process"),
        pod(&all(NO_ESCALATION), "every container needs allowPrivilegeEscalation: false"),
        pod(
            &all(DROPS),
            "every container drops ALL capabilities and adds NET_BIND_SERVICE at most"
        ),
        pod(&all(NO_HOST_PORTS), "no container takes a port of the machine"),
        pod(&all(PROC), "procMount must be Default"),
        pod(&both(FILTERED), "seccompProfile must not be Unconfined"),
        pod(&both(CONFINED), "appArmorProfile must not be Unconfined"),
        pod(ANNOTATED, "annotations of AppArmor name the runtime's profile or one of the machine"),
        pod(&both(SELINUX), "seLinuxOptions may name a type of containers, no user and no role"),
        pod(SYSCTLS, "sysctls must be safe ones"),
        pod(&all(NO_HOST_PROBES), "probes and hooks name no host"),
    ])
}

/// A test of a security context, for the pod's own and each container's.
fn both(test: &str) -> String {
    let of = |owner: &str| test.replace("CONTEXT", &format!("{owner}.?securityContext"));
    format!("{} &&\nvariables.containers.all(c,\n  {})", of("variables.pod"), of("c"))
}

const NO_HOST_NAMESPACE: &str = "\
!variables.pod.?hostNetwork.orValue(false) && !variables.pod.?hostPID.orValue(false) &&
!variables.pod.?hostIPC.orValue(false)";
const VOLUMES: &str = "\
variables.pod.?volumes.orValue([]).all(v,
  has(v.configMap) || has(v.csi) || has(v.downwardAPI) || has(v.emptyDir) || has(v.ephemeral) ||
  has(v.image) || has(v.persistentVolumeClaim) || has(v.projected) || has(v.secret))";
const NOT_PRIVILEGED: &str = "\
!c.?securityContext.?privileged.orValue(false) &&
  !c.?securityContext.?windowsOptions.?hostProcess.orValue(false) &&
  !variables.pod.?securityContext.?windowsOptions.?hostProcess.orValue(false)";
const NO_ESCALATION: &str = "!c.?securityContext.?allowPrivilegeEscalation.orValue(true)";
const DROPS: &str = "\
'ALL' in c.?securityContext.?capabilities.?drop.orValue([]) &&
  c.?securityContext.?capabilities.?add.orValue([]).all(one, one == 'NET_BIND_SERVICE')";
const NO_HOST_PORTS: &str = "c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0)";
const PROC: &str = "c.?securityContext.?procMount.orValue('Default') == 'Default'";
const FILTERED: &str = "CONTEXT.?seccompProfile.?type.orValue('RuntimeDefault') != 'Unconfined'";
const CONFINED: &str = "CONTEXT.?appArmorProfile.?type.orValue('RuntimeDefault') != 'Unconfined'";
const ANNOTATED: &str = "\
variables.template.?metadata.?annotations.orValue({}).all(key,
  !key.startsWith('container.apparmor.security.beta.kubernetes.io/') ||
  variables.template.metadata.annotations[key] in ['', 'runtime/default'] ||
  variables.template.metadata.annotations[key].startsWith('localhost/'))";
const SELINUX: &str = "\
CONTEXT.?seLinuxOptions.?type.orValue('') in
    ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'] &&
  CONTEXT.?seLinuxOptions.?user.orValue('') == '' && CONTEXT.?seLinuxOptions.?role.orValue('') == ''";
const SYSCTLS: &str = "\
variables.pod.?securityContext.?sysctls.orValue([]).all(s, s.name in [
  'kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.ping_group_range', 'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes', 'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem', 'net.ipv4.tcp_syncookies', 'net.ipv4.tcp_wmem'])";
const NO_HOST_PROBES: &str = "\
[c.?livenessProbe, c.?readinessProbe, c.?startupProbe,
   c.?lifecycle.?postStart, c.?lifecycle.?preStop].all(h,
    h.?httpGet.?host.orValue('') == '' && h.?tcpSocket.?host.orValue('') == '')";
