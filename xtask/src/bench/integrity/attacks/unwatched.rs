//! What is done while the agent is away or does not hear: a look at everything finds it, and nobody is named for it.

use super::{Attack, USUAL, When};

/// What is said of what a look found.
const BY_A_LOOK: &str = "it was changed while nobody watched";
const REASON: &[&str] = &[BY_A_LOOK];

const ON_W1: Attack = Attack { when: When::Stopped, unknown: REASON, ..USUAL };
const ON_W2: Attack = Attack { on: "w2", ..ON_W1 };
const ON_CP1: Attack = Attack { on: "cp1", ..ON_W1 };

pub(super) const ALL: &[Attack] = &[
    Attack {
        id: "made-meanwhile",
        about: "a file is made while the agent is stopped",
        technique: Some("T1562.001"),
        does: "cp text /etc/cron.d/story-meanwhile",
        tells: &[("/etc/cron.d/story-meanwhile", &[])],
        undoes: "rm /etc/cron.d/story-meanwhile",
        ..ON_W1
    },
    Attack {
        id: "changed-meanwhile",
        about: "a byte of a file is changed while the agent is stopped, and its times are put back",
        technique: Some("T1070.006"),
        before: "filled /etc/cron.d/story-altered",
        does: "cp -p /etc/cron.d/story-altered altered; \
               printf b | dd of=/etc/cron.d/story-altered bs=1 seek=9 conv=notrunc status=none; \
               touch -r altered /etc/cron.d/story-altered",
        tells: &[("/etc/cron.d/story-altered", &[])],
        undoes: "rm /etc/cron.d/story-altered",
        ..ON_W1
    },
    Attack {
        id: "removed-meanwhile",
        about: "a file is taken away while the agent is stopped",
        technique: Some("T1070.004"),
        before: "cp text /etc/cron.d/story-lost",
        does: "rm /etc/cron.d/story-lost",
        tells: &[("/etc/cron.d/story-lost", &[])],
        undoes: ":",
        ..ON_W1
    },
    Attack {
        id: "opened-meanwhile",
        about: "everybody may write to a file since the agent was stopped",
        technique: Some("T1222.002"),
        before: "cp text /etc/cron.d/story-loosened",
        does: "chmod 0666 /etc/cron.d/story-loosened",
        tells: &[("/etc/cron.d/story-loosened", &[])],
        undoes: "rm /etc/cron.d/story-loosened",
        ..ON_W1
    },
    Attack {
        id: "capability-meanwhile",
        about: "a program gets a capability while the agent is stopped",
        technique: Some("T1548"),
        before: "cp program /usr/local/bin/story-gifted",
        does: "setcap cap_sys_admin+ep /usr/local/bin/story-gifted",
        tells: &[("/usr/local/bin/story-gifted", &[])],
        undoes: "rm /usr/local/bin/story-gifted",
        ..ON_W2
    },
    Attack {
        id: "manifest-meanwhile",
        about: "a static pod is put down while the agent of a control plane is stopped",
        technique: Some("T1610"),
        does: "cp text /etc/kubernetes/manifests/.story-meanwhile",
        tells: &[("/etc/kubernetes/manifests/.story-meanwhile", &[])],
        undoes: "rm /etc/kubernetes/manifests/.story-meanwhile",
        ..ON_CP1
    },
    Attack {
        id: "plugin-meanwhile",
        about: "a program is put into a directory that only a network of pods names, while the agent is stopped",
        technique: Some("T1554"),
        before: "mkdir -p /root/story-plugins; \
                 printf '{ \"binDir\": \"/root/story-plugins\" }\\n' >/etc/cni/net.d/99-story-plugins.conf; sleep 20",
        does: "cp program /root/story-plugins/story",
        tells: &[("/root/story-plugins/story", &[])],
        undoes: "rm -r /root/story-plugins /etc/cni/net.d/99-story-plugins.conf",
        ..ON_W1
    },
    Attack {
        id: "program-meanwhile",
        about: "a program of the bundle is exchanged while the agent is stopped",
        technique: Some("T1554"),
        before: "keep /usr/local/bin/ctr",
        does: "printf x >>/usr/local/bin/ctr",
        tells: &[("/usr/local/bin/ctr", &[])],
        undoes: "back /usr/local/bin/ctr",
        ..ON_W2
    },
    Attack {
        id: "link-meanwhile",
        about: "a link takes the place of a file while the agent is stopped",
        before: "cp text /etc/modprobe.d/story-meanwhile.conf",
        does: "ln -sf /root/story-anything /etc/modprobe.d/story-meanwhile.conf",
        tells: &[("/etc/modprobe.d/story-meanwhile.conf", &[])],
        undoes: "rm /etc/modprobe.d/story-meanwhile.conf",
        ..ON_W2
    },
    Attack {
        id: "mounted-over-a-file",
        about: "another file is mounted over one, of which the kernel tells nobody",
        technique: Some("T1564"),
        before: "filled /etc/cron.d/story-covered",
        does: "mount --bind text /etc/cron.d/story-covered",
        tells: &[("/etc/cron.d/story-covered", &[])],
        undoes: "umount /etc/cron.d/story-covered; rm /etc/cron.d/story-covered",
        ..ON_W2
    },
    Attack {
        id: "mounted-over-a-directory",
        about: "a stack of directories is mounted over one, and shows a file more",
        technique: Some("T1564"),
        before: "mkdir -p /etc/profile.d/story-covered.d cover; cp text /etc/profile.d/story-covered.d/a; cp text cover/b",
        does: "mount -t overlay overlay -o lowerdir=/run/story/cover:/etc/profile.d/story-covered.d \
               /etc/profile.d/story-covered.d",
        tells: &[("/etc/profile.d/story-covered.d/b", &[])],
        undoes: "umount /etc/profile.d/story-covered.d; rm -r /etc/profile.d/story-covered.d",
        ..ON_W2
    },
    Attack {
        id: "agent-killed",
        about: "the agent is killed, and a file is made before it is back",
        technique: Some("T1562.001"),
        does: "systemctl kill --signal=SIGKILL ringfort-integrity.service; cp text /etc/cron.d/story-killed",
        tells: &[("/etc/cron.d/story-killed", &["cp"])],
        undoes: "rm /etc/cron.d/story-killed",
        when: When::Last,
        ..ON_W1
    },
    Attack {
        id: "agent-killed-and-storm",
        about: "a file is changed among thousands, after the agent was killed",
        technique: Some("T1562.001"),
        before: "filled /etc/cron.d/story-storm",
        does: "systemctl kill --signal=SIGKILL ringfort-integrity.service; n=0; \
               while [ $n -lt 3000 ]; do : >/etc/security/.story-$n; rm /etc/security/.story-$n; n=$((n + 1)); \
               [ $n -ne 1500 ] || printf b >>/etc/cron.d/story-storm; done",
        tells: &[("/etc/cron.d/story-storm", &["dash"])],
        undoes: "rm /etc/cron.d/story-storm",
        when: When::Last,
        ..ON_W2
    },
];
