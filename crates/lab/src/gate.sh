# Becomes a machine. It runs in fresh mount and network name spaces, so that all mounts of a machine
# end with its last process. Nothing is mounted before the lab has placed this process in its control
# groups and plugged in its network: it waits for a line, and ends if the lab ends instead.
# Arguments: the machine's directory, the base system, then those of systemd-nspawn.
set -eu
machine=$1 base=$2
shift 2
echo ready
read -r go

# A copy of a lab's network, kept in this view, would outlive that lab.
while read -r _ _ _ _ where _; do
  case $where in /run/ringfort-lab/*) umount "$where" ;; esac
done </proc/self/mountinfo

# After a power cut the machine's former life may hold its file systems for a moment.
patiently() {
  left=50
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || exit 1
    sleep 0.1
  done
}
layers=lowerdir=$base,upperdir=$machine/upper,workdir=$machine/work
patiently mount -t overlay overlay -o "$layers,index=on,nfs_export=on" "$machine/root"
patiently mount -o loop,discard "$machine/disk.ext4" "$machine/disk"
for directory in containerd kubelet etcd pods; do mkdir -p "$machine/disk/$directory"; done
if [ -e "$machine/fresh" ]; then
  cp -a "$machine/seed/." "$machine/root/"
  rm "$machine/fresh"
fi

# nspawn says by 133 that the machine asks to be started again. The network stays plugged in; what
# the machine made of it goes, as in a machine of metal.
while true; do
  status=0
  systemd-nspawn "$@" </dev/null >>"$machine/console.log" 2>&1 || status=$?
  [ "$status" -eq 133 ] || exit "$status"
  nft flush ruleset
  ip -oneline link show | while IFS=': @' read -r _ link _; do
    case $link in lo | eth0) ;; *) ip link del "$link" 2>/dev/null || true ;; esac
  done
done
