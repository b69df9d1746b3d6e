//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "another-build",
        about: "a server is of another build than the lock names",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::ApiServer, "--version", "{kubernetes}-other")],
        also: &[],
    },
    Sabotage {
        name: "exchanged-program",
        about: "a kube-proxy that is not the bundle's runs, and the file is as it was",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "cd /usr/local/bin && cp -p kube-proxy /root/kube-proxy && \
                   { cat kube-proxy; echo; } >.other && chmod 755 .other && mv .other kube-proxy && \
                   systemctl restart kube-proxy && sleep 2 && mv /root/kube-proxy kube-proxy",
            undoes: "systemctl restart kube-proxy",
        }],
        also: &[],
    },
    Sabotage {
        name: "exchanged-runtime",
        about: "the program that starts containers is another",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "cd /usr/local/bin && cp -p runc /root/runc && \
                   { cat runc; echo; } >.other && chmod 755 .other && mv .other runc",
            undoes: "mv /root/runc /usr/local/bin/runc",
        }],
        also: &[],
    },
];
