//! On what a cluster runs by: static pods, keys, kubeconfigs, settings of kubelet and runtime, plugins, the audit log.

use super::{Attack, ON_CP1, ON_CP2, ON_CP3, USUAL};

pub(super) const ALL: &[Attack] = &[
    Attack {
        id: "static-pod",
        about: "a static pod that no admission sees, of an image that nobody has",
        technique: Some("T1610"),
        before: "printf 'apiVersion: v1\\nkind: Pod\\nmetadata: { name: story, namespace: default }\\n\
                 spec: { containers: [{ name: a, image: story.invalid/a, imagePullPolicy: Never }] }\\n' >pod",
        does: "cp pod /etc/kubernetes/manifests/story.yaml",
        tells: &[("/etc/kubernetes/manifests/story.yaml", &["cp"])],
        undoes: "rm /etc/kubernetes/manifests/story.yaml",
        ..ON_CP3
    },
    Attack {
        id: "static-pod-edited",
        about: "a line more in the manifest of a component",
        technique: Some("T1543.005"),
        before: "keep /etc/kubernetes/manifests/kube-scheduler.yaml",
        does: "printf '# story\\n' >>/etc/kubernetes/manifests/kube-scheduler.yaml",
        tells: &[("/etc/kubernetes/manifests/kube-scheduler.yaml", &["dash"])],
        undoes: "cat kept/:etc:kubernetes:manifests:kube-scheduler.yaml \
                 >/etc/kubernetes/manifests/kube-scheduler.yaml",
        ..ON_CP1
    },
    Attack {
        id: "static-pod-hidden",
        about: "a file beside the manifests that a listing does not show",
        technique: Some("T1564.001"),
        does: "tee /etc/kubernetes/manifests/.story <text >/dev/null",
        tells: &[("/etc/kubernetes/manifests/.story", &["tee"])],
        undoes: "rm /etc/kubernetes/manifests/.story",
        ..ON_CP2
    },
    Attack {
        id: "key-more",
        about: "a private key beside the cluster's own",
        technique: Some("T1649"),
        does: "openssl genpkey -algorithm ed25519 -out /etc/kubernetes/pki/story.key",
        tells: &[("/etc/kubernetes/pki/story.key", &["openssl"])],
        undoes: "rm /etc/kubernetes/pki/story.key",
        ..ON_CP1
    },
    Attack {
        id: "key-opened",
        about: "the key that signs tokens can be read by everybody",
        technique: Some("T1222.002"),
        does: "chmod 0644 /etc/kubernetes/pki/sa.key",
        tells: &[("/etc/kubernetes/pki/sa.key", &["chmod"])],
        undoes: "chmod 0600 /etc/kubernetes/pki/sa.key",
        ..ON_CP2
    },
    Attack {
        id: "authority-more",
        about: "the file of authorities that a kubelet believes grows",
        technique: Some("T1553.004"),
        before: "keep /etc/kubernetes/pki/ca.crt",
        does: r##"perl -e 'open(F, ">>", "/etc/kubernetes/pki/ca.crt") or die; print F "\n"; close F'"##,
        tells: &[("/etc/kubernetes/pki/ca.crt", &["perl"])],
        undoes: "back /etc/kubernetes/pki/ca.crt",
        ..USUAL
    },
    Attack {
        id: "kubeconfig-edited",
        about: "the kubelet's kubeconfig is written to",
        technique: Some("T1098"),
        before: "keep /etc/kubernetes/kubelet.conf",
        does: "dd if=text of=/etc/kubernetes/kubelet.conf oflag=append conv=notrunc status=none",
        tells: &[("/etc/kubernetes/kubelet.conf", &["dd"])],
        undoes: "back /etc/kubernetes/kubelet.conf",
        ..USUAL
    },
    Attack {
        id: "admin-kubeconfig",
        about: "a kubeconfig of somebody who may do everything lies on a control plane",
        technique: Some("T1552.001"),
        does: "install -m 0600 text /etc/kubernetes/admin.conf",
        tells: &[("/etc/kubernetes/admin.conf", &["install"])],
        undoes: "rm /etc/kubernetes/admin.conf",
        ..ON_CP3
    },
    Attack {
        id: "bootstrap-kubeconfig",
        about: "a kubeconfig that joins machines lies where a kubelet looks for one",
        technique: Some("T1098"),
        does: "bash -c 'echo >/etc/kubernetes/bootstrap-kubelet.conf'",
        tells: &[("/etc/kubernetes/bootstrap-kubelet.conf", &["bash"])],
        undoes: "rm /etc/kubernetes/bootstrap-kubelet.conf",
        ..USUAL
    },
    Attack {
        id: "kubelet-settings",
        about: "a line more in the kubelet's configuration",
        technique: Some("T1562.001"),
        before: "keep /var/lib/kubelet/config.yaml",
        does: "awk 'BEGIN { print \"# story\" >>\"/var/lib/kubelet/config.yaml\" }'",
        tells: &[("/var/lib/kubelet/config.yaml", &["mawk", "gawk"])],
        undoes: "back /var/lib/kubelet/config.yaml",
        ..ON_CP3
    },
    Attack {
        id: "kubelet-drop-in",
        about: "settings of a kubelet in a file of their own, renamed to their place",
        technique: Some("T1562.001"),
        before: "within /etc/kubernetes/kubelet.conf.d; cp text /root/story-kubelet",
        does: "mv /root/story-kubelet /etc/kubernetes/kubelet.conf.d/90-story.conf",
        tells: &[("/etc/kubernetes/kubelet.conf.d/90-story.conf", &["mv"])],
        undoes: "rm /etc/kubernetes/kubelet.conf.d/90-story.conf",
        ..USUAL
    },
    Attack {
        id: "kubelet-flags",
        about: "a file of flags that kubelets of packages read",
        does: "cp text /etc/default/kubelet",
        tells: &[("/etc/default/kubelet", &["cp"])],
        undoes: "rm /etc/default/kubelet",
        ..USUAL
    },
    Attack {
        id: "volume-plugin",
        about: "a program that the kubelet runs as root for volumes",
        technique: Some("T1543"),
        before: "within /usr/libexec/kubernetes/kubelet-plugins/volume/exec/story~driver",
        does: "cp program /usr/libexec/kubernetes/kubelet-plugins/volume/exec/story~driver/driver",
        tells: &[(
            "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/story~driver/driver",
            &["cp"],
        )],
        undoes: "rm /usr/libexec/kubernetes/kubelet-plugins/volume/exec/story~driver/driver",
        ..ON_CP3
    },
    Attack {
        id: "network-settings",
        about: "another configuration of network plugins beside the right one",
        technique: Some("T1543"),
        does: "cp text /etc/cni/net.d/99-story.conf",
        tells: &[("/etc/cni/net.d/99-story.conf", &["cp"])],
        undoes: "rm /etc/cni/net.d/99-story.conf",
        ..USUAL
    },
    Attack {
        id: "network-plugin",
        about: "a plugin of the bundle is exchanged for one that has a byte more",
        technique: Some("T1554"),
        before: "keep /opt/cni/bin/loopback; cp -p /opt/cni/bin/loopback /root/story-loopback; \
                 printf x >>/root/story-loopback",
        does: "mv /root/story-loopback /opt/cni/bin/loopback",
        tells: &[("/opt/cni/bin/loopback", &["mv"])],
        undoes: "back /opt/cni/bin/loopback",
        ..USUAL
    },
    Attack {
        id: "registry-mirror",
        about: "images of a registry come from somebody else",
        technique: Some("T1525"),
        before: "within /etc/containerd/certs.d/story.invalid",
        does: "printf '# story\\n' >/etc/containerd/certs.d/story.invalid/hosts.toml",
        tells: &[("/etc/containerd/certs.d/story.invalid/hosts.toml", &["dash"])],
        undoes: "rm /etc/containerd/certs.d/story.invalid/hosts.toml",
        ..USUAL
    },
    Attack {
        id: "runtime-settings",
        about: "a line more in containerd's configuration",
        technique: Some("T1562.001"),
        before: "keep /etc/containerd/config.toml",
        does: "bash -c 'printf \"# story\\n\" >>/etc/containerd/config.toml'",
        tells: &[("/etc/containerd/config.toml", &["bash"])],
        undoes: "back /etc/containerd/config.toml",
        ..USUAL
    },
    Attack {
        id: "runtime-plugin",
        about: "a program that the runtime asks about each container",
        technique: Some("T1543"),
        before: "within /opt/nri/plugins",
        does: "cp program /opt/nri/plugins/10-story",
        tells: &[("/opt/nri/plugins/10-story", &["cp"])],
        undoes: "rm /opt/nri/plugins/10-story",
        ..USUAL
    },
    Attack {
        id: "devices-of-containers",
        about: "devices and mounts that containers are given by a name",
        technique: Some("T1611"),
        before: "within /etc/cdi",
        does: "tee /etc/cdi/story.yaml <text >/dev/null",
        tells: &[("/etc/cdi/story.yaml", &["tee"])],
        undoes: "rm /etc/cdi/story.yaml",
        ..USUAL
    },
    Attack {
        id: "devices-until-the-next-start",
        about: "the same on a file system that is in memory",
        technique: Some("T1611"),
        before: "within /run/cdi",
        does: "cp text /run/cdi/story.yaml",
        tells: &[("/run/cdi/story.yaml", &["cp"])],
        undoes: "rm /run/cdi/story.yaml",
        ..USUAL
    },
    Attack {
        id: "sealing-settings",
        about: "another file of keys beside the one that Secrets are sealed by",
        technique: Some("T1565.001"),
        does: "install -m 0600 text /etc/kubernetes/encryption/story.yaml",
        tells: &[("/etc/kubernetes/encryption/story.yaml", &["install"])],
        undoes: "rm /etc/kubernetes/encryption/story.yaml",
        ..ON_CP1
    },
    Attack {
        id: "authorizer-settings",
        about: "a file beside the one that says who decides about requests",
        technique: Some("T1556"),
        does: "cp text /etc/kubernetes/authz/story.yaml",
        tells: &[("/etc/kubernetes/authz/story.yaml", &["cp"])],
        undoes: "rm /etc/kubernetes/authz/story.yaml",
        ..ON_CP3
    },
    Attack {
        id: "guards",
        about: "a file beside what API servers refuse by",
        technique: Some("T1562.001"),
        does: "cp text /etc/kubernetes/admission/story",
        tells: &[("/etc/kubernetes/admission/story", &["cp"])],
        undoes: "rm /etc/kubernetes/admission/story",
        ..ON_CP2
    },
    Attack {
        id: "objects-opened",
        about: "everybody may go into the directory of the cluster's objects",
        technique: Some("T1222.002"),
        does: "chmod 0755 /var/lib/etcd",
        tells: &[("/var/lib/etcd", &["chmod"])],
        undoes: "chmod 0700 /var/lib/etcd",
        ..ON_CP2
    },
    Attack {
        id: "audit-log-forged",
        about: "a line is added to the audit log by another than its server",
        technique: Some("T1565.001"),
        does: "printf '{}\\n' >>/var/log/kubernetes/audit.log",
        tells: &[("/var/log/kubernetes/audit.log", &["dash"])],
        // What a server logged stays as it is.
        undoes: ":",
        ..ON_CP1
    },
    Attack {
        id: "audit-log-cut",
        about: "the audit log is emptied",
        technique: Some("T1070.002"),
        does: "truncate -s 0 /var/log/kubernetes/audit.log",
        tells: &[("/var/log/kubernetes/audit.log", &["truncate"])],
        undoes: ":",
        ..ON_CP2
    },
    Attack {
        id: "audit-log-exchanged",
        about: "a copy takes the place of the audit log, so that what comes next is not in it",
        technique: Some("T1070.002"),
        does: "cd /var/log/kubernetes; mv audit.log audit.story; cp -p audit.story audit.log",
        tells: &[("/var/log/kubernetes/audit.log", &["mv", "cp"])],
        undoes: "mv /var/log/kubernetes/audit.story /var/log/kubernetes/audit.log",
        ..ON_CP3
    },
    Attack {
        id: "baseline-exchanged",
        about: "the agent's baseline is one that nobody signed",
        technique: Some("T1562.001"),
        before: "keep /etc/ringfort/integrity/baseline",
        does: "sed -i '2s/^..../AAAA/' /etc/ringfort/integrity/baseline",
        tells: &[("/etc/ringfort/integrity/baseline", &["sed"])],
        undoes: "back /etc/ringfort/integrity/baseline",
        ..ON_CP3
    },
    Attack {
        id: "agent-unit",
        about: "a line more in the agent's own unit",
        technique: Some("T1562.001"),
        before: "keep /etc/systemd/system/ringfort-integrity.service",
        does: "printf '# story\\n' >>/etc/systemd/system/ringfort-integrity.service",
        tells: &[("/etc/systemd/system/ringfort-integrity.service", &["dash"])],
        undoes: "back /etc/systemd/system/ringfort-integrity.service",
        ..ON_CP3
    },
    Attack {
        id: "bundled-program",
        about: "a program of the bundle gets a byte more where it lies",
        technique: Some("T1554"),
        before: "keep /usr/local/bin/ctr",
        does: "printf x | tee -a /usr/local/bin/ctr >/dev/null",
        tells: &[("/usr/local/bin/ctr", &["tee"])],
        undoes: "back /usr/local/bin/ctr",
        ..ON_CP1
    },
    Attack {
        id: "named-by-a-network",
        about: "a network of pods names a file that no baseline has",
        technique: Some("T1543.005"),
        before: "printf '{ \"kubeconfig\": \"/root/story-cni.kubeconfig\" }\\n' >network",
        does: "cp network /etc/cni/net.d/98-story-named.conf; sleep 10",
        tells: &[
            ("/etc/cni/net.d/98-story-named.conf", &["cp"]),
            ("/root/story-cni.kubeconfig", &["cp"]),
        ],
        unknown: &["whoever changed the flag or the file that names it"],
        undoes: "rm /etc/cni/net.d/98-story-named.conf",
        ..USUAL
    },
];
