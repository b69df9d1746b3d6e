//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "a-value-in-plain",
        about: "one value lies in etcd as it was before encryption was on",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd-client-ca.crt --cert=/etc/kubernetes/pki/apiserver-etcd-client.crt --key=/etc/kubernetes/pki/apiserver-etcd-client.key put /registry/leftovers/default/one '{}'",
            undoes: "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd-client-ca.crt --cert=/etc/kubernetes/pki/apiserver-etcd-client.crt --key=/etc/kubernetes/pki/apiserver-etcd-client.key del /registry/leftovers/default/one",
        }],
        also: &[],
    },
    Sabotage {
        name: "sealed-by-another",
        about: "a value only looks sealed, by a key that nobody has",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd-client-ca.crt --cert=/etc/kubernetes/pki/apiserver-etcd-client.crt --key=/etc/kubernetes/pki/apiserver-etcd-client.key put /registry/leftovers/default/two k8s:enc:aescbc:v1:old:sealed",
            undoes: "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd-client-ca.crt --cert=/etc/kubernetes/pki/apiserver-etcd-client.crt --key=/etc/kubernetes/pki/apiserver-etcd-client.key del /registry/leftovers/default/two",
        }],
        also: &[],
    },
    Sabotage {
        name: "beside-an-open-prefix",
        about: "a value hides behind a name that begins as an open one does",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd-client-ca.crt --cert=/etc/kubernetes/pki/apiserver-etcd-client.crt --key=/etc/kubernetes/pki/apiserver-etcd-client.key put /registry/masterleases.old/secret 'in plain'",
            undoes: "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd-client-ca.crt --cert=/etc/kubernetes/pki/apiserver-etcd-client.crt --key=/etc/kubernetes/pki/apiserver-etcd-client.key del /registry/masterleases.old/secret",
        }],
        also: &[],
    },
    Sabotage {
        // Secrets only: what a server wrote in plain and cannot read later keeps it from starting, and of
        // Secrets no more than the canaries are written meanwhile. A server looks at its configuration again
        // once a minute; started again, it does so at once.
        name: "plain-first",
        about: "one server writes Secrets in plain from now on, and still reads what is sealed",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: r#"cp -p /etc/kubernetes/encryption/config.yaml /root/encryption.yaml && \
                     awk '/"\*\.\*"/ { on = 1 } on { rest = rest $0 "\n" } !on { print }
                          END { first = rest; sub(/\["\*\.\*"\]/, "[secrets]", first)
                                sub(/providers:/, "providers:\n  - identity: {}", first); printf "%s%s", first, rest }' \
                     /root/encryption.yaml >/etc/kubernetes/encryption/config.yaml && \
                     grep -q secrets /etc/kubernetes/encryption/config.yaml && \
                     pkill -x kube-apiserver && sleep 25"#,
            undoes: "mv /root/encryption.yaml /etc/kubernetes/encryption/config.yaml && \
                     pkill -x kube-apiserver && sleep 25",
        }],
        // Servers that do not read it cannot delete a Secret either, so that its token lives on.
        also: &["access/service-account-tokens"],
    },
];
