//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "no-client-certificate",
        about: "a member answers clients without a certificate",
        on: On::OneControlPlane,
        harms: &[
            Harm::Flag(Component::Etcd, "--client-cert-auth", "false"),
            Harm::NoFlag(Component::Etcd, "--trusted-ca-file"),
        ],
        also: &[],
    },
    Sabotage {
        name: "one-peer-authority",
        about: "the authority of clients lets members in as well",
        on: On::OneControlPlane,
        harms: &[Harm::Join("/etc/etcd/etcd-peer-ca.crt", "/etc/etcd/etcd-client-ca.crt")],
        also: &[],
    },
    Sabotage {
        name: "one-authority",
        about: "the authority of peers lets clients in as well",
        on: On::OneControlPlane,
        harms: &[Harm::Join("/etc/etcd/etcd-client-ca.crt", "/etc/etcd/etcd-peer-ca.crt")],
        also: &[],
    },
];
