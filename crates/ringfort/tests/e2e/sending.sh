# Starts a second API server on a control plane, with the words of the first and a webhook, and who receives and keeps what
# it sends. Says the machine's address.
set -e
own=/etc/kubernetes/witness
unit=/etc/systemd/system
mkdir -p /run/sent/state /run/sent/received /run/sent/store
address=$(sed -n 's/.*--listen \([0-9.]*\):.*/\1/p' $unit/ringfort-witness.service)
name=ringfort:witness:$(sed -n 's/.*--source \([^ ]*\).*/\1/p' $unit/ringfort-collect.service)
cat >/run/sent/webhook <<END
apiVersion: v1
kind: Config
clusters: [{name: receiver, cluster: {server: "https://$address:7445/events", certificate-authority: $own/ca.crt}}]
users: [{name: server, user: {client-certificate: $own/own.crt, client-key: $own/own.key}}]
contexts: [{name: receiver, context: {cluster: receiver, user: server}}]
current-context: receiver
END
begin() {
    unit=$1
    shift
    systemd-run --quiet --unit "$unit" -p Restart=always -p RestartSec=200ms -p StartLimitIntervalSec=0 "$@"
}
begin sent-collect ringfort audit collect --log /run/sent/none --store /run/sent/store --received /run/sent/received \
    --source sent
begin sent-witness ringfort audit witness --store /run/sent/store --state /run/sent/state --received /run/sent/received \
    --listen "$address:7445" --certificate $own/own.crt --key $own/own.key --ca $own/ca.crt --events-from "$name"
pid=$(pgrep -o -x kube-apiserver)
cp "/proc/$pid/exe" /run/sent/kube-apiserver
tr '\0' '\n' <"/proc/$pid/cmdline" | tail -n +2 >/run/sent/words
mapfile -t words </run/sent/words
begin sent-server /run/sent/kube-apiserver "${words[@]}" --secure-port=7443 --endpoint-reconciler-type=none \
    --audit-log-path=/run/sent/audit.log --audit-webhook-config-file=/run/sent/webhook \
    --audit-webhook-batch-max-wait=1s --audit-webhook-initial-backoff=500ms
echo "$address"
