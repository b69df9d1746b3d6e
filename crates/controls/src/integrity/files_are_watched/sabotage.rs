//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "no-agent",
        about: "somebody stopped a worker's agent",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "systemctl stop ringfort-integrity.service",
            undoes: "systemctl start ringfort-integrity.service",
        }],
        also: &[],
    },
    Sabotage {
        name: "other-baseline",
        about: "a control plane's baseline was exchanged for one that nobody signed",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "cd /etc/ringfort/integrity && cp -p baseline /run/ringfort-baseline && \
                   sed -i '2s/^..../AAAA/' baseline",
            undoes: "cp -p /run/ringfort-baseline /etc/ringfort/integrity/baseline && \
                     rm /run/ringfort-baseline",
        }],
        also: &[],
    },
    Sabotage {
        name: "own-key",
        about: "somebody who was root on a worker signed its baseline anew with a key of their own, and put that in \
                place of the one that is believed",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "cd /etc/ringfort/integrity && mkdir -m 0700 /run/ringfort-own && own=/run/ringfort-own && \
                   cp -p key.pub baseline $own && openssl genpkey -algorithm ed25519 -out $own/key && \
                   tail -n +2 baseline | base64 -d | head -c -64 >$own/says && \
                   openssl pkeyutl -sign -rawin -inkey $own/key -in $own/says -out $own/signature && \
                   { head -n 1 $own/baseline; cat $own/says $own/signature | base64; } >$own/signed && \
                   cat $own/signed >baseline && openssl pkey -in $own/key -pubout >key.pub && \
                   systemctl restart ringfort-integrity.service",
            undoes: "cd /etc/ringfort/integrity && cp -p /run/ringfort-own/key.pub /run/ringfort-own/baseline . && \
                     rm -r /run/ringfort-own && systemctl restart ringfort-integrity.service",
        }],
        also: &[],
    },
    Sabotage {
        name: "other-files",
        about: "a worker's agent watches another directory than the machine's root",
        on: On::OneWorker,
        harms: &[Harm::Text(
            "/etc/systemd/system/ringfort-integrity.service",
            "integrity watch",
            "integrity watch --root /run",
        )],
        also: &[],
    },
    Sabotage {
        name: "nothing-leaves",
        about: "what a worker's agent finds stays on its machine",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "systemctl stop ringfort-report.service",
            undoes: "systemctl start ringfort-report.service",
        }],
        also: &[],
    },
];
