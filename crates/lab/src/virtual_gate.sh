# Becomes a virtual machine. It runs in the lab's network and in a mount name space of its own. Nothing
# is started before the lab has placed this process in its control groups and plugged in its network:
# it waits for a line, and ends if the lab ends instead.
# Arguments: the machine's directory, then QEMU's command line.
set -eu
machine=$1
shift
echo ready
read -r go

# A copy of a lab's network, kept in this view, would outlive that lab.
while read -r _ _ _ _ where _; do
  case $where in /run/ringfort-lab/*) umount "$where" ;; esac
done </proc/self/mountinfo

if [ -e "$machine/fresh" ]; then
  mount -o loop "$machine/disk.ext4" "$machine/root"
  cp -a "$machine/seed/." "$machine/root/"
  umount "$machine/root"
  rm "$machine/fresh"
fi
exec "$@" </dev/null >>"$machine/console.log" 2>&1
