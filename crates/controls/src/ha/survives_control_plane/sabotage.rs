//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "one-way",
    about: "the balancer of a worker knows one server only",
    on: On::OneWorker,
    harms: &[Harm::Live {
        does: "cp /etc/kubernetes/balancer.conf /run/balancer.conf && sed -i '$!d' /etc/kubernetes/balancer.conf && systemctl restart ringfort-balance",
        undoes: "mv /run/balancer.conf /etc/kubernetes/balancer.conf && systemctl restart ringfort-balance",
    }],
    also: &[],
}];
