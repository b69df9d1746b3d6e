# Seals what is there, waits until another control plane has seen it, and writes as many segments anew with the same
# key, which whoever asks nobody else finds whole. It is done when the witness has refused them.
store=/var/lib/ringfort-audit
witnessed=/var/lib/ringfort-witness/witnessed
last() { tail -n 1 "$witnessed" 2>/dev/null; }
wait_for() { i=0; until "$@"; do i=$((i + 1)); [ "$i" -lt 90 ] || exit 1; sleep 1; done; }
is_seen() { [ "$(last)" != "$before" ] && ! is_refused; }
is_refused() { last | grep -q '"refused":'; }

before=$(last)
systemctl stop ringfort-collect
collect=$(sed -n 's/^ExecStart=//p' /etc/systemd/system/ringfort-collect.service)
$collect --seal-minutes 0 --once >/dev/null || [ $? -eq 3 ] || exit
sealed=$(find "$store" -name '*.checkpoint' | wc -l)
systemctl start ringfort-collect
wait_for is_seen
systemctl stop ringfort-collect ringfort-witness
cp -a "$store" /run/rewritten
find "$store" -type f ! -name key -delete
for of in $(seq "$sealed"); do
  grep -v secrets /var/log/kubernetes/audit.log | head -n $((of * 20)) >/run/forged.log
  ringfort audit collect --once --seal-minutes 0 --log /run/forged.log --store "$store" --source "of-$of" \
    >/dev/null || exit
done
rm /run/forged.log
systemctl start ringfort-collect ringfort-witness
wait_for is_refused
