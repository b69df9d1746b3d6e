//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "stopped",
        about: "the collector is stopped, to save what it costs",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "systemctl stop ringfort-collect",
            undoes: "systemctl start ringfort-collect",
        }],
        // Agents of some machines deliver here, and nobody keeps what they do.
        also: &["audit/findings-are-told", "integrity/files-are-watched"],
    },
    Sabotage {
        name: "shortened",
        about: "the end of a sealed segment is cut off, with what stood there",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "cd /var/lib/ringfort-audit && systemctl stop ringfort-collect && \
                   { $(sed -n 's/^ExecStart=//p' /etc/systemd/system/ringfort-collect.service) --seal-minutes 0 --once >/dev/null || [ $? -eq 3 ]; } && \
                   of=$(ls *.seg | tail -n 1) && echo $of >/run/shortened && cp -p $of /run/shortened.seg && \
                   truncate -s -100 $of && systemctl start ringfort-collect",
            undoes: "mv /run/shortened.seg /var/lib/ringfort-audit/$(cat /run/shortened); rm /run/shortened",
        }],
        also: &[],
    },
    Sabotage {
        name: "rewritten",
        about: "a sealed log is written anew by root with the machine's own key, without what was asked of Secrets",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: include_str!("rewritten.sh"),
            undoes: "systemctl stop ringfort-collect ringfort-witness; [ ! -d /run/rewritten ] || \
                     { rm -rf /var/lib/ringfort-audit && mv /run/rewritten /var/lib/ringfort-audit; }; \
                     systemctl start ringfort-collect ringfort-witness",
        }],
        also: &[],
    },
    Sabotage {
        name: "elsewhere",
        about: "the collector follows a log that nobody writes",
        on: On::OneControlPlane,
        harms: &[Harm::Text(
            "/etc/systemd/system/ringfort-collect.service",
            "--log /var/log/kubernetes/audit.log",
            "--log /var/log/kubernetes/other.log",
        )],
        also: &["audit/findings-are-told"],
    },
    Sabotage {
        name: "uncounted",
        about: "nobody compares any more what the API server counts with what comes",
        on: On::OneControlPlane,
        harms: &[Harm::Text(
            "/etc/systemd/system/ringfort-witness.service",
            " --counts ",
            " --events-from ",
        )],
        also: &[],
    },
    Sabotage {
        name: "no-bodies-of-services",
        about: "Services are logged without their bodies, to save space: whoever opens one on every machine is not found",
        on: On::OneControlPlane,
        harms: &[Harm::Text(
            "/etc/kubernetes/audit/policy.yaml",
            "\nrules:\n",
            "\nrules:\n- level: Metadata\n  resources:\n  - group: \"\"\n    resources:\n    - services\n",
        )],
        also: &[],
    },
    Sabotage {
        name: "unread",
        about: "nothing is read any more of what other control planes keep, to save what it costs",
        on: On::OneControlPlane,
        harms: &[
            Harm::Text(
                "/etc/systemd/system/ringfort-witness.service",
                " --reads ",
                " --events-from ",
            ),
            Harm::Text(
                "/etc/systemd/system/ringfort-witness.service",
                " --together /run/ringfort-together",
                "",
            ),
        ],
        also: &[],
    },
    Sabotage {
        name: "no-key",
        about: "the key that what is kept is signed with is taken away",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "mv /var/lib/ringfort-audit/key /run/key.aside && systemctl restart --no-block ringfort-collect",
            undoes: "mv /run/key.aside /var/lib/ringfort-audit/key && systemctl restart ringfort-collect",
        }],
        // Agents of some machines deliver here, and nobody keeps what they do.
        also: &["audit/findings-are-told", "integrity/files-are-watched"],
    },
];
