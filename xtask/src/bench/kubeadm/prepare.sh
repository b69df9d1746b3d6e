# Makes a bare machine ready for kubeadm, as its installation guide asks: the runtime, the programs,
# the network plugins, the images. Everything comes from the bundle that ringfort uses too.
# Before this text stand: the files that are the same as on ringfort's machines, and the lists
# $images (archives) and $routes (lines of a pod range and the machine that has it).
seed=/var/lib/ringfort/seed/files
install -m 755 $seed/containerd $seed/containerd-shim-runc-v2 $seed/ctr $seed/runc \
  $seed/kubelet $seed/kubectl /usr/local/bin/
mkdir -p /opt/cni/bin
install -m 755 $seed/bridge $seed/host-local $seed/loopback $seed/portmap /opt/cni/bin/
sysctl -qw net.ipv4.ip_forward=1
echo "$routes" | while read -r range via; do ip route replace "$range" via "$via"; done

mkdir -p /etc/systemd/system/kubelet.service.d
cat >/etc/systemd/system/kubelet.service <<'END'
[Unit]
Description=kubelet
After=containerd.service
[Service]
ExecStart=/usr/local/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10
[Install]
WantedBy=multi-user.target
END
cat >/etc/systemd/system/kubelet.service.d/10-kubeadm.conf <<'END'
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
END
# Upstream's images run as root; the bundle's do not unless a pod says so.
mkdir -p /etc/kubeadm/patches
for part in etcd kube-controller-manager kube-scheduler; do
  echo '{"spec": {"securityContext": {"runAsUser": 0, "runAsGroup": 0}}}' \
    >/etc/kubeadm/patches/$part+strategic.json
done
systemctl daemon-reload
systemctl -q enable --now containerd
systemctl -q enable kubelet
for archive in $images; do
  ctr -n k8s.io images import --local --discard-unpacked-layers "/var/lib/ringfort/seed/$archive"
done
