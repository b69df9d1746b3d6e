//! Those who write: interpreters, programs that are gone when somebody asks, and such that look like others.

use super::{Attack, ON_CP1, ON_CP2, ON_CP3, ON_W2};

/// What is said of a process that ran no program of its own and has ended.
const FORKED: &str = "was not seen to begin a program";
/// What is said where a number is another's by now.
const REUSED: &str = "its number belongs to another process by now";

pub(super) const ALL: &[Attack] = &[
    Attack {
        id: "by-a-shell",
        about: "a shell writes by itself",
        technique: Some("T1059.004"),
        does: "bash -c 'printf \"# story\\n\" >/etc/cron.d/story-shell'",
        tells: &[("/etc/cron.d/story-shell", &["bash"])],
        undoes: "rm /etc/cron.d/story-shell",
        ..ON_CP1
    },
    Attack {
        id: "by-a-script",
        about: "a script that is run as a program writes by itself",
        technique: Some("T1059.004"),
        before: "printf '#!/bin/sh\\necho \"# story\" >/etc/cron.d/story-script\\n' >/root/story-script; \
                 chmod 0755 /root/story-script",
        does: "/root/story-script",
        tells: &[("/etc/cron.d/story-script", &["dash"])],
        undoes: "rm /etc/cron.d/story-script /root/story-script",
        ..ON_CP1
    },
    Attack {
        id: "by-a-subshell",
        about: "a part of a shell writes that is a process and no program of its own",
        does: "(printf '# story\\n' >/etc/cron.d/story-subshell)",
        tells: &[("/etc/cron.d/story-subshell", &["dash"])],
        unknown: &[FORKED],
        undoes: "rm /etc/cron.d/story-subshell",
        ..ON_CP1
    },
    Attack {
        id: "by-perl",
        about: "an interpreter writes",
        technique: Some("T1059"),
        does: r##"perl -e 'open(F, ">", "/etc/cron.d/story-perl") or die; print F "# story\n"'"##,
        tells: &[("/etc/cron.d/story-perl", &["perl"])],
        undoes: "rm /etc/cron.d/story-perl",
        ..ON_CP1
    },
    Attack {
        id: "by-awk",
        about: "an interpreter that one thinks less of writes",
        does: "awk 'BEGIN { print \"# story\" >\"/etc/cron.d/story-awk\" }'",
        tells: &[("/etc/cron.d/story-awk", &["mawk", "gawk"])],
        undoes: "rm /etc/cron.d/story-awk",
        ..ON_CP1
    },
    Attack {
        id: "by-an-archive",
        about: "an archive is unpacked over a directory",
        technique: Some("T1105"),
        before: "mkdir -p archive; cp text archive/story-archive; tar -C archive -cf story.tar story-archive",
        does: "tar -C /etc/cron.d -xf story.tar",
        tells: &[("/etc/cron.d/story-archive", &["tar"])],
        undoes: "rm /etc/cron.d/story-archive",
        ..ON_CP1
    },
    Attack {
        id: "by-a-search",
        about: "a search begins the program that writes",
        does: r"find text -exec cp {} /etc/cron.d/story-find \;",
        tells: &[("/etc/cron.d/story-find", &["cp"])],
        parent: Some("find"),
        undoes: "rm /etc/cron.d/story-find",
        ..ON_CP2
    },
    Attack {
        id: "by-systemd",
        about: "systemd begins the program that writes, so that no login is above it",
        technique: Some("T1569.002"),
        does: "systemd-run --quiet --wait cp /run/story/text /etc/cron.d/story-service",
        tells: &[("/etc/cron.d/story-service", &["cp"])],
        parent: Some("systemd"),
        undoes: "rm /etc/cron.d/story-service",
        ..ON_CP2
    },
    Attack {
        id: "orphan",
        about: "who writes was begun by somebody who has ended",
        does: "(setsid sh -c 'sleep 1; cp text /etc/cron.d/story-orphan' &); sleep 2",
        tells: &[("/etc/cron.d/story-orphan", &["cp"])],
        undoes: "rm /etc/cron.d/story-orphan",
        ..ON_CP2
    },
    Attack {
        id: "forked",
        about: "a process that was forked and ran no program writes, and ends at once",
        does: r##"perl -e 'exit if fork; sleep 1; open(F, ">", "/etc/cron.d/story-forked"); print F "# story\n"'; sleep 2"##,
        tells: &[("/etc/cron.d/story-forked", &["perl"])],
        unknown: &[FORKED],
        undoes: "rm /etc/cron.d/story-forked",
        ..ON_CP2
    },
    Attack {
        id: "many-short-ones",
        about: "twenty programs write, each to one file, and end at once",
        does: "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cp text /etc/cron.d/story-many-$n; done",
        tells: &[
            ("/etc/cron.d/story-many-1", &["cp"]),
            ("/etc/cron.d/story-many-7", &["cp"]),
            ("/etc/cron.d/story-many-14", &["cp"]),
            ("/etc/cron.d/story-many-20", &["cp"]),
        ],
        undoes: "rm /etc/cron.d/story-many-*",
        ..ON_CP2
    },
    Attack {
        id: "one-after-the-other",
        about: "two programs write to one file, one after the other",
        does: "cp text /etc/cron.d/story-two; sleep 0.5; chmod 0777 /etc/cron.d/story-two",
        tells: &[("/etc/cron.d/story-two", &["cp", "chmod"])],
        undoes: "rm /etc/cron.d/story-two",
        ..ON_CP2
    },
    Attack {
        id: "opened-by-another",
        about: "a shell opens the file, becomes another program, and that writes",
        does: "sh -c 'exec 3>/etc/cron.d/story-inherited; exec /usr/bin/echo story >&3'",
        tells: &[("/etc/cron.d/story-inherited", &["echo"])],
        shells: &["dash"],
        undoes: "rm /etc/cron.d/story-inherited",
        ..ON_CP2
    },
    Attack {
        id: "number-of-another",
        about: "who wrote has ended, and another program has its number",
        does: r##"perl -e 'for (1 .. 50) {
            my $pid = fork; if (!$pid) { open(F, ">", "/etc/cron.d/story-number"); syswrite(F, "$_\n"); exit }
            waitpid($pid, 0); open(L, ">", "/proc/sys/kernel/ns_last_pid") or die "$!"; syswrite(L, $pid - 1); close L;
            my $next = fork; if (!$next) { exit if $$ != $pid; exec "sleep", "2" } waitpid($next, 0);
            exit 0 if $next == $pid } exit 1'"##,
        tells: &[("/etc/cron.d/story-number", &["perl"])],
        unknown: &[FORKED, REUSED],
        undoes: "rm /etc/cron.d/story-number",
        ..ON_CP2
    },
    Attack {
        id: "called-kubelet",
        about: "a program that is called kubelet writes",
        technique: Some("T1036.005"),
        before: "mkdir -p /root/story; cp /usr/bin/cp /root/story/kubelet",
        does: "/root/story/kubelet text /etc/cron.d/story-kubelet",
        tells: &[("/etc/cron.d/story-kubelet", &["/root/story/kubelet"])],
        undoes: "rm /etc/cron.d/story-kubelet; rm -r /root/story",
        ..ON_CP3
    },
    Attack {
        id: "says-it-is-dpkg",
        about: "a program tells all who list processes that it is dpkg",
        technique: Some("T1036.005"),
        does: "bash -c 'exec -a /usr/bin/dpkg cp text /usr/sbin/story-renamed'",
        tells: &[("/usr/sbin/story-renamed", &["cp"])],
        undoes: "rm /usr/sbin/story-renamed",
        ..ON_CP3
    },
    Attack {
        id: "program-is-gone",
        about: "who writes has taken his program away",
        technique: Some("T1070.004"),
        before: "cp /usr/bin/dash /root/story-dash",
        does: "/root/story-dash -c 'rm /root/story-dash; echo \"# story\" >/etc/cron.d/story-deleted'",
        tells: &[("/etc/cron.d/story-deleted", &["/root/story-dash"])],
        undoes: "rm /etc/cron.d/story-deleted",
        ..ON_CP3
    },
    Attack {
        id: "program-in-memory",
        about: "a program writes that never lay on a disk",
        technique: Some("T1620"),
        does: r##"perl -e 'open(I, "<", "/usr/bin/cp") or die; binmode I; local $/; my ($d, $n) = (<I>, "story");
            my $fd = syscall(319, $n, 0); syscall(1, $fd, $d, length $d) == length $d or die;
            exec { "/proc/self/fd/$fd" } "cp", "text", "/etc/cron.d/story-memfd"'"##,
        tells: &[("/etc/cron.d/story-memfd", &["memfd:story"])],
        // What it ran before it became that one.
        shells: &["perl"],
        undoes: "rm /etc/cron.d/story-memfd",
        ..ON_CP3
    },
    Attack {
        id: "program-in-shared-memory",
        about: "a program writes that lies on a file system in memory",
        technique: Some("T1036"),
        before: "cp /usr/bin/cp /dev/shm/story-cp",
        does: "/dev/shm/story-cp text /etc/cron.d/story-shm",
        tells: &[("/etc/cron.d/story-shm", &["story-cp"])],
        undoes: "rm /etc/cron.d/story-shm /dev/shm/story-cp",
        ..ON_CP3
    },
    Attack {
        id: "by-the-loader",
        about: "the loader of libraries is run, and told which program to be",
        technique: Some("T1036"),
        does: "/lib64/ld-linux-x86-64.so.2 /usr/bin/cp text /etc/cron.d/story-loader",
        tells: &[("/etc/cron.d/story-loader", &["ld-linux-x86-64.so.2", "cp"])],
        unknown: &[FORKED],
        undoes: "rm /etc/cron.d/story-loader",
        ..ON_CP3
    },
    Attack {
        id: "own-numbers",
        about: "who writes has another number where it is",
        technique: Some("T1611"),
        does: "unshare --fork --pid --mount-proc cp text /etc/cron.d/story-numbered",
        tells: &[("/etc/cron.d/story-numbered", &["cp"])],
        undoes: "rm /etc/cron.d/story-numbered",
        ..ON_CP3
    },
    Attack {
        id: "own-users",
        about: "who writes is root where it is",
        technique: Some("T1611"),
        does: "unshare --user --map-root-user cp text /etc/cron.d/story-mapped",
        tells: &[("/etc/cron.d/story-mapped", &["cp"])],
        undoes: "rm /etc/cron.d/story-mapped",
        ..ON_CP3
    },
    Attack {
        id: "not-root",
        about: "somebody who is not root writes, since the file is theirs",
        technique: Some("T1222.002"),
        before: "cp text /etc/cron.d/story-theirs; chown games /etc/cron.d/story-theirs",
        does: "setpriv --reuid=games --regid=games --clear-groups sh -c 'echo more >>/etc/cron.d/story-theirs'",
        tells: &[("/etc/cron.d/story-theirs", &["dash"])],
        undoes: "rm /etc/cron.d/story-theirs",
        ..ON_W2
    },
];
