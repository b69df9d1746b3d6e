//! On the machine below: what root runs by itself, who may log in, the loader, the kernel, programs, packages.

use super::{Attack, ON_CP1, ON_CP2, ON_W2, ON_W3, USUAL};

pub(super) const ALL: &[Attack] = &[
    Attack {
        id: "cron-job",
        about: "a job of cron",
        technique: Some("T1053.003"),
        does: "printf '# story\\n' >/etc/cron.d/story-job",
        tells: &[("/etc/cron.d/story-job", &["dash"])],
        undoes: "rm /etc/cron.d/story-job",
        ..USUAL
    },
    Attack {
        id: "cron-hourly",
        about: "a script that cron runs each hour",
        technique: Some("T1053.003"),
        before: "within /etc/cron.hourly",
        does: "cp program /etc/cron.hourly/story",
        tells: &[("/etc/cron.hourly/story", &["cp"])],
        undoes: "rm /etc/cron.hourly/story",
        ..USUAL
    },
    Attack {
        id: "crontab-of-root",
        about: "root's own table of cron",
        technique: Some("T1053.003"),
        before: "within /var/spool/cron/crontabs",
        does: "install -m 0600 text /var/spool/cron/crontabs/root",
        tells: &[("/var/spool/cron/crontabs/root", &["install"])],
        undoes: "rm /var/spool/cron/crontabs/root",
        ..ON_W3
    },
    Attack {
        id: "crontab-of-the-machine",
        about: "the machine's table of cron",
        technique: Some("T1053.003"),
        before: "[ ! -e /etc/crontab ]",
        does: "awk 'BEGIN { print \"# story\" >\"/etc/crontab\" }'",
        tells: &[("/etc/crontab", &["mawk", "gawk"])],
        undoes: "rm /etc/crontab",
        ..USUAL
    },
    Attack {
        id: "unit",
        about: "a unit of systemd",
        technique: Some("T1543.002"),
        does: "cp text /etc/systemd/system/story.service",
        tells: &[("/etc/systemd/system/story.service", &["cp"])],
        undoes: "rm /etc/systemd/system/story.service",
        ..ON_W3
    },
    Attack {
        id: "unit-enabled",
        about: "a unit that begins with the machine from now on, by systemd itself",
        technique: Some("T1543.002"),
        before: "printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' \
                 >/etc/systemd/system/story-on.service",
        does: "systemctl enable story-on.service",
        tells: &[(
            "/etc/systemd/system/multi-user.target.wants/story-on.service",
            &["systemd", "systemctl"],
        )],
        undoes: "systemctl disable story-on.service; rm /etc/systemd/system/story-on.service",
        ..ON_W3
    },
    Attack {
        id: "unit-drop-in",
        about: "settings that change a unit of the distribution",
        technique: Some("T1543.002"),
        before: "within /etc/systemd/system/ssh.service.d",
        does: "tee /etc/systemd/system/ssh.service.d/story.conf <text >/dev/null",
        tells: &[("/etc/systemd/system/ssh.service.d/story.conf", &["tee"])],
        undoes: "rm /etc/systemd/system/ssh.service.d/story.conf",
        ..USUAL
    },
    Attack {
        id: "timer",
        about: "a timer of systemd",
        technique: Some("T1053.006"),
        does: "bash -c 'echo \"# story\" >/etc/systemd/system/story.timer'",
        tells: &[("/etc/systemd/system/story.timer", &["bash"])],
        undoes: "rm /etc/systemd/system/story.timer",
        ..USUAL
    },
    Attack {
        id: "unit-of-packages",
        about: "a unit where those of packages lie",
        technique: Some("T1543.002"),
        does: "cp text /usr/lib/systemd/system/story-vendor.service",
        tells: &[("/usr/lib/systemd/system/story-vendor.service", &["cp"])],
        undoes: "rm /usr/lib/systemd/system/story-vendor.service",
        ..USUAL
    },
    Attack {
        id: "generator",
        about: "a program that systemd runs before all units",
        technique: Some("T1543.002"),
        before: "within /etc/systemd/system-generators",
        does: "cp program /etc/systemd/system-generators/story",
        tells: &[("/etc/systemd/system-generators/story", &["cp"])],
        undoes: "rm /etc/systemd/system-generators/story",
        ..USUAL
    },
    Attack {
        id: "start-script",
        about: "a script of the older kind that runs at each start",
        technique: Some("T1037.004"),
        does: "cp text /etc/init.d/story",
        tells: &[("/etc/init.d/story", &["cp"])],
        undoes: "rm /etc/init.d/story",
        ..USUAL
    },
    Attack {
        id: "sudo-rule",
        about: "somebody becomes root without a password",
        technique: Some("T1548.003"),
        before: "within /etc/sudoers.d",
        does: "printf '# story\\n' | tee /etc/sudoers.d/story >/dev/null",
        tells: &[("/etc/sudoers.d/story", &["tee"])],
        undoes: "rm /etc/sudoers.d/story",
        ..ON_W3
    },
    Attack {
        id: "authorized-key",
        about: "a key more that logs in as root",
        technique: Some("T1098.004"),
        before: "keep /root/.ssh/authorized_keys",
        does: "printf '# story\\n' >>/root/.ssh/authorized_keys",
        tells: &[("/root/.ssh/authorized_keys", &["dash"])],
        undoes: "cat kept/:root:.ssh:authorized_keys >/root/.ssh/authorized_keys",
        ..USUAL
    },
    Attack {
        id: "ssh-settings",
        about: "a setting more of the SSH server",
        technique: Some("T1556"),
        before: "within /etc/ssh/sshd_config.d",
        does: "cp text /etc/ssh/sshd_config.d/story.conf",
        tells: &[("/etc/ssh/sshd_config.d/story.conf", &["cp"])],
        undoes: "rm /etc/ssh/sshd_config.d/story.conf",
        ..USUAL
    },
    Attack {
        id: "host-key",
        about: "a key more of the machine itself",
        does: "ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/story_host_key",
        tells: &[
            ("/etc/ssh/story_host_key", &["ssh-keygen"]),
            ("/etc/ssh/story_host_key.pub", &["ssh-keygen"]),
        ],
        undoes: "rm /etc/ssh/story_host_key /etc/ssh/story_host_key.pub",
        ..ON_W3
    },
    Attack {
        id: "pam",
        about: "a line more in how people show who they are",
        technique: Some("T1556.003"),
        before: "keep /etc/pam.d/common-auth",
        does: r##"perl -i -pe '$_ .= "# story\n" if eof' /etc/pam.d/common-auth"##,
        tells: &[("/etc/pam.d/common-auth", &["perl"])],
        undoes: "back /etc/pam.d/common-auth",
        ..ON_W2
    },
    Attack {
        id: "limits",
        about: "what somebody who logged in may do, edited in place by a file beside it",
        technique: Some("T1556.003"),
        before: "keep /etc/security/limits.conf",
        does: "sed -i '$a # story' /etc/security/limits.conf",
        tells: &[("/etc/security/limits.conf", &["sed"])],
        undoes: "back /etc/security/limits.conf",
        ..USUAL
    },
    Attack {
        id: "preload",
        about: "the file of libraries that every process loads exists",
        technique: Some("T1574.006"),
        does: "touch /etc/ld.so.preload",
        tells: &[("/etc/ld.so.preload", &["touch"])],
        undoes: "rm /etc/ld.so.preload",
        ..USUAL
    },
    Attack {
        id: "library-path",
        about: "another directory of libraries",
        technique: Some("T1574.006"),
        does: "cp text /etc/ld.so.conf.d/story.conf",
        tells: &[("/etc/ld.so.conf.d/story.conf", &["cp"])],
        undoes: "rm /etc/ld.so.conf.d/story.conf",
        ..ON_W3
    },
    Attack {
        id: "library-cache",
        about: "the cache of libraries is made anew by hand",
        technique: Some("T1574.006"),
        does: "ldconfig",
        tells: &[("/etc/ld.so.cache", &["ldconfig"])],
        undoes: ":",
        ..ON_W2
    },
    Attack {
        id: "module",
        about: "a module that the kernel loads at each start",
        technique: Some("T1547.006"),
        does: "cp text /etc/modules-load.d/story.conf",
        tells: &[("/etc/modules-load.d/story.conf", &["cp"])],
        undoes: "rm /etc/modules-load.d/story.conf",
        ..USUAL
    },
    Attack {
        id: "module-command",
        about: "a program that runs when a module is loaded",
        technique: Some("T1547.006"),
        before: "cp text /root/story-modprobe",
        does: "mv /root/story-modprobe /etc/modprobe.d/story.conf",
        tells: &[("/etc/modprobe.d/story.conf", &["mv"])],
        undoes: "rm /etc/modprobe.d/story.conf",
        ..USUAL
    },
    Attack {
        id: "udev-rule",
        about: "a program that runs when a device appears",
        technique: Some("T1546.017"),
        before: "within /etc/udev/rules.d",
        does: "cp text /etc/udev/rules.d/99-story.rules",
        tells: &[("/etc/udev/rules.d/99-story.rules", &["cp"])],
        undoes: "rm /etc/udev/rules.d/99-story.rules",
        ..USUAL
    },
    Attack {
        id: "user",
        about: "a user more",
        technique: Some("T1136.001"),
        before: "for file in passwd shadow group gshadow; do keep /etc/$file; done",
        does: "useradd --system --no-create-home story-user",
        tells: &[
            ("/etc/passwd", &["useradd"]),
            ("/etc/shadow", &["useradd"]),
            ("/etc/group", &["useradd"]),
            ("/etc/gshadow", &["useradd"]),
        ],
        undoes: "for file in passwd shadow group gshadow; do back /etc/$file; done",
        ..ON_W2
    },
    Attack {
        id: "password",
        about: "somebody gets a password",
        technique: Some("T1098"),
        before: "keep /etc/shadow",
        does: "echo 'games:Story-0f-a-password' | chpasswd",
        tells: &[("/etc/shadow", &["chpasswd"])],
        undoes: "back /etc/shadow",
        ..ON_W3
    },
    Attack {
        id: "group",
        about: "somebody joins the group of those who may become root",
        technique: Some("T1098"),
        before: "for file in group gshadow; do keep /etc/$file; done",
        does: "usermod --append --groups sudo games",
        tells: &[("/etc/group", &["usermod"]), ("/etc/gshadow", &["usermod"])],
        undoes: "for file in group gshadow; do back /etc/$file; done",
        ..ON_CP1
    },
    Attack {
        id: "names",
        about: "a name leads to another machine",
        technique: Some("T1565.001"),
        before: "keep /etc/hosts",
        does: "printf '# story\\n' >>/etc/hosts",
        tells: &[("/etc/hosts", &["dash"])],
        undoes: "back /etc/hosts",
        ..ON_W3
    },
    Attack {
        id: "profile",
        about: "what runs when somebody logs in",
        technique: Some("T1546.004"),
        does: "cp text /etc/profile.d/story.sh",
        tells: &[("/etc/profile.d/story.sh", &["cp"])],
        undoes: "rm /etc/profile.d/story.sh",
        ..ON_W3
    },
    Attack {
        id: "shell-of-root",
        about: "what runs when root opens a shell",
        technique: Some("T1546.004"),
        before: "keep /root/.bashrc",
        does: "bash -c 'echo \"# story\" >>/root/.bashrc'",
        tells: &[("/root/.bashrc", &["bash"])],
        undoes: "back /root/.bashrc",
        ..ON_W3
    },
    Attack {
        id: "greeting",
        about: "what root runs when somebody logs in",
        technique: Some("T1546.004"),
        before: "within /etc/update-motd.d",
        does: "cp text /etc/update-motd.d/99-story",
        tells: &[("/etc/update-motd.d/99-story", &["cp"])],
        undoes: "rm /etc/update-motd.d/99-story",
        ..ON_CP2
    },
    Attack {
        id: "package-hook",
        about: "what root runs with each package",
        technique: Some("T1546.016"),
        does: "printf '// story\\n' >/etc/apt/apt.conf.d/99story",
        tells: &[("/etc/apt/apt.conf.d/99story", &["dash"])],
        undoes: "rm /etc/apt/apt.conf.d/99story",
        ..ON_CP1
    },
    Attack {
        id: "package-digests",
        about: "the digests that a package's files are held against are edited",
        technique: Some("T1565.001"),
        before: "keep /var/lib/dpkg/info/bash.md5sums",
        does: "sed -i '1s/^./0/' /var/lib/dpkg/info/bash.md5sums",
        tells: &[("/var/lib/dpkg/info/bash.md5sums", &["sed"])],
        undoes: "back /var/lib/dpkg/info/bash.md5sums",
        ..ON_W3
    },
    Attack {
        id: "package-of-a-static-pod",
        about: "a package brings a static pod",
        technique: Some("T1610"),
        before: "within /etc/kubernetes/manifests; mkdir -p deb/DEBIAN deb/etc/kubernetes/manifests; \
                 printf 'Package: story-pod\\nVersion: 1\\nArchitecture: all\\nMaintainer: Story <story@invalid>\\n\
                 Description: story\\n' >deb/DEBIAN/control; \
                 cp text deb/etc/kubernetes/manifests/.story-deb; dpkg-deb --build --root-owner-group deb story-pod.deb",
        does: "dpkg --install story-pod.deb",
        tells: &[("/etc/kubernetes/manifests/.story-deb", &["dpkg"])],
        undoes: "dpkg --purge story-pod",
        ..ON_W3
    },
    Attack {
        id: "program-exchanged",
        about: "a program of a package is exchanged for one that has a byte more",
        technique: Some("T1554"),
        before: "keep /usr/bin/factor; cp -p /usr/bin/factor /root/story-factor; printf x >>/root/story-factor",
        does: "mv /root/story-factor /usr/bin/factor",
        tells: &[("/usr/bin/factor", &["mv"])],
        undoes: "back /usr/bin/factor",
        ..ON_W2
    },
    Attack {
        id: "program-of-root",
        about: "a program more where root looks for programs",
        technique: Some("T1036.005"),
        does: "cp program /usr/sbin/story",
        tells: &[("/usr/sbin/story", &["cp"])],
        undoes: "rm /usr/sbin/story",
        ..ON_CP1
    },
    Attack {
        id: "program-before-another",
        about: "a link that is found before the program of its name",
        technique: Some("T1574.007"),
        before: "within /usr/local/sbin",
        does: "ln -s /usr/bin/true /usr/local/sbin/factor",
        tells: &[("/usr/local/sbin/factor", &["ln"])],
        undoes: "rm /usr/local/sbin/factor",
        ..ON_W2
    },
    Attack {
        id: "runs-as-root",
        about: "a program that runs as its owner",
        technique: Some("T1548.001"),
        before: "cp program /usr/local/bin/story-suid",
        does: "chmod u+s /usr/local/bin/story-suid",
        tells: &[("/usr/local/bin/story-suid", &["chmod"])],
        undoes: "rm /usr/local/bin/story-suid",
        ..ON_W2
    },
    Attack {
        id: "capability",
        about: "a program gets a capability",
        technique: Some("T1548"),
        before: "cp program /usr/local/bin/story-capable",
        does: "setcap cap_net_raw+ep /usr/local/bin/story-capable",
        tells: &[("/usr/local/bin/story-capable", &["setcap"])],
        undoes: "rm /usr/local/bin/story-capable",
        ..ON_W2
    },
    Attack {
        id: "given-away",
        about: "a file of root's becomes somebody else's",
        technique: Some("T1222.002"),
        before: "cp text /etc/cron.d/story-given",
        does: "chown games /etc/cron.d/story-given",
        tells: &[("/etc/cron.d/story-given", &["chown"])],
        undoes: "rm /etc/cron.d/story-given",
        ..ON_W2
    },
    Attack {
        id: "kernel-settings",
        about: "a setting of the kernel that comes back at each start",
        does: "cp text /etc/sysctl.d/99-story.conf",
        tells: &[("/etc/sysctl.d/99-story.conf", &["cp"])],
        undoes: "rm /etc/sysctl.d/99-story.conf",
        ..ON_CP1
    },
    Attack {
        id: "made-at-each-start",
        about: "files that root makes at each start",
        technique: Some("T1037"),
        before: "within /etc/tmpfiles.d",
        does: "cp text /etc/tmpfiles.d/story.conf",
        tells: &[("/etc/tmpfiles.d/story.conf", &["cp"])],
        undoes: "rm /etc/tmpfiles.d/story.conf",
        ..ON_CP2
    },
    Attack {
        id: "what-starts",
        about: "a file beside the kernel that the machine starts",
        technique: Some("T1542.003"),
        does: "cp text /boot/story.img",
        tells: &[("/boot/story.img", &["cp"])],
        undoes: "rm /boot/story.img",
        ..ON_CP1
    },
];
