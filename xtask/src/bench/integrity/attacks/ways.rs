//! The ways in which a file is changed: in place, through memory, through another name, under another root, put back,
//! come and gone. Numbers of calls are those of x86-64.

use super::{Attack, ON_CP1, ON_CP2, ON_W2, ON_W3};

pub(super) const ALL: &[Attack] = &[
    Attack {
        id: "same-size",
        about: "one byte is another, and the size is the same",
        technique: Some("T1565.001"),
        before: "filled /etc/cron.d/story-byte",
        does: "printf b | dd of=/etc/cron.d/story-byte bs=1 seek=100 conv=notrunc status=none",
        tells: &[("/etc/cron.d/story-byte", &["dd"])],
        undoes: "rm /etc/cron.d/story-byte",
        ..ON_W2
    },
    Attack {
        id: "times-put-back",
        about: "a file is changed and its times are put back",
        technique: Some("T1070.006"),
        before: "filled /etc/cron.d/story-times; cp -p /etc/cron.d/story-times times",
        does: "printf b >>/etc/cron.d/story-times; touch -r times /etc/cron.d/story-times",
        tells: &[("/etc/cron.d/story-times", &["dash", "touch"])],
        undoes: "rm /etc/cron.d/story-times",
        ..ON_W2
    },
    Attack {
        id: "through-memory",
        about: "a file is changed through memory that it is mapped to",
        technique: Some("T1565.001"),
        before: "filled /etc/cron.d/story-memory",
        does: r##"perl -e 'open(F, "+<", "/etc/cron.d/story-memory") or die;
            my $at = syscall(9, 0, 4096, 3, 1, fileno(F), 0); die if $at == -1;
            pipe(R, W); syswrite(W, "bcd"); syscall(0, fileno(R), $at + 100, 3) == 3 or die; syscall(11, $at, 4096)'"##,
        tells: &[("/etc/cron.d/story-memory", &["perl"])],
        undoes: "rm /etc/cron.d/story-memory",
        ..ON_W2
    },
    Attack {
        id: "shortened",
        about: "the end of a file is cut off",
        before: "filled /etc/cron.d/story-short",
        does: "truncate -s 10 /etc/cron.d/story-short",
        tells: &[("/etc/cron.d/story-short", &["truncate"])],
        undoes: "rm /etc/cron.d/story-short",
        ..ON_W2
    },
    Attack {
        id: "hole",
        about: "a hole is made in a file that keeps its size",
        before: "filled /etc/cron.d/story-hole",
        does: "fallocate --punch-hole --offset 0 --length 4096 /etc/cron.d/story-hole",
        tells: &[("/etc/cron.d/story-hole", &["fallocate"])],
        undoes: "rm /etc/cron.d/story-hole",
        ..ON_W2
    },
    Attack {
        id: "without-a-name-first",
        about: "a file without a name is written, and then given one",
        technique: Some("T1036"),
        does: r##"perl -e 'my ($d, $t, $to) = ("/etc/cron.d", "# story\n", "/etc/cron.d/story-nameless");
            my $fd = syscall(2, $d, 020200002, 0644); die "$!" if $fd == -1; syscall(1, $fd, $t, length $t);
            my $from = "/proc/self/fd/$fd"; syscall(265, -100, $from, -100, $to, 0x400) == 0 or die "$!"'"##,
        tells: &[("/etc/cron.d/story-nameless", &["perl"])],
        undoes: "rm /etc/cron.d/story-nameless",
        ..ON_W2
    },
    Attack {
        id: "by-another-name",
        about: "a file is written to by a hard link that was made elsewhere",
        technique: Some("T1036"),
        before: "filled /etc/cron.d/story-hard",
        does: "ln /etc/cron.d/story-hard /root/story-hard; printf b >>/root/story-hard",
        tells: &[("/etc/cron.d/story-hard", &["dash"])],
        // Whoever makes another name touches the file as well.
        shells: &["ln"],
        undoes: "rm /etc/cron.d/story-hard /root/story-hard",
        ..ON_W2
    },
    Attack {
        id: "name-of-another",
        about: "a file from elsewhere gets a name in a protected directory, and is written to by its old one",
        technique: Some("T1036"),
        before: "cp text /root/story-linked",
        does: "ln /root/story-linked /etc/cron.d/story-linked; sleep 0.5; printf b >>/root/story-linked",
        tells: &[("/etc/cron.d/story-linked", &["ln", "dash"])],
        undoes: "rm /etc/cron.d/story-linked /root/story-linked",
        ..ON_W2
    },
    Attack {
        id: "link-in-place-of-a-file",
        about: "a link to somebody's own file takes the place of a file",
        before: "cp text /etc/modprobe.d/story-link.conf",
        does: "ln -sf /root/story-anything /etc/modprobe.d/story-link.conf",
        tells: &[("/etc/modprobe.d/story-link.conf", &["ln"])],
        undoes: "rm /etc/modprobe.d/story-link.conf",
        ..ON_W2
    },
    Attack {
        id: "directory-exchanged",
        about: "a directory is moved away and another takes its place",
        technique: Some("T1036"),
        before: "mkdir -p /etc/profile.d/story.d /root/story-other.d; cp text /etc/profile.d/story.d/a; \
                 printf other >/root/story-other.d/a",
        does: "mv /etc/profile.d/story.d /root/story-old.d; mv /root/story-other.d /etc/profile.d/story.d",
        tells: &[("/etc/profile.d/story.d/a", &["mv"])],
        undoes: "rm -r /etc/profile.d/story.d /root/story-old.d",
        ..ON_W2
    },
    Attack {
        id: "link-in-place-of-a-directory",
        about: "a directory is moved away and a link to another takes its place",
        before: "mkdir -p /etc/security/story.d /root/story-elsewhere.d; cp text /etc/security/story.d/a; \
                 cp text /root/story-elsewhere.d/a",
        does: "mv /etc/security/story.d /root/story-away.d; ln -s /root/story-elsewhere.d /etc/security/story.d",
        tells: &[("/etc/security/story.d*", &["mv", "ln"])],
        undoes: "rm /etc/security/story.d; rm -r /root/story-away.d /root/story-elsewhere.d",
        ..ON_W2
    },
    Attack {
        id: "directory-with-a-file",
        about: "a directory is made and filled at once, before anybody hears of it",
        does: "mkdir /etc/profile.d/story-new.d; cp text /etc/profile.d/story-new.d/a",
        tells: &[
            ("/etc/profile.d/story-new.d", &["mkdir"]),
            ("/etc/profile.d/story-new.d/a", &["cp"]),
        ],
        unknown: &["it was there before anything was heard of its directory"],
        undoes: "rm -r /etc/profile.d/story-new.d",
        ..ON_W2
    },
    Attack {
        id: "directory-moved-in",
        about: "a directory comes with all that it holds",
        before: "mkdir -p /root/story-moved.d; cp text /root/story-moved.d/a",
        does: "mv /root/story-moved.d /etc/profile.d/story-moved.d",
        tells: &[("/etc/profile.d/story-moved.d/a", &["mv"])],
        undoes: "rm -r /etc/profile.d/story-moved.d",
        ..ON_W2
    },
    Attack {
        id: "two-files-exchanged",
        about: "two files exchange their names in one call",
        technique: Some("T1036"),
        before: "cp text /etc/cron.d/story-exchanged; printf other >/root/story-exchanged",
        does: r##"perl -e 'my ($a, $b) = ("/root/story-exchanged", "/etc/cron.d/story-exchanged");
            syscall(316, -100, $a, -100, $b, 2) == 0 or die "$!"'"##,
        tells: &[("/etc/cron.d/story-exchanged", &["perl"])],
        undoes: "rm /etc/cron.d/story-exchanged /root/story-exchanged",
        ..ON_W2
    },
    Attack {
        id: "came-and-went",
        about: "a file is made and taken away at once",
        technique: Some("T1070.004"),
        does: "printf '# story\\n' >/etc/cron.d/story-gone; rm /etc/cron.d/story-gone",
        tells: &[("/etc/cron.d/story-gone", &["dash", "rm"])],
        undoes: ":",
        ..ON_W3
    },
    Attack {
        id: "changed-and-put-back",
        about: "a file is changed and put back at once",
        technique: Some("T1070"),
        before: "cp text /etc/cron.d/story-restored; printf other >other",
        does: "cp other /etc/cron.d/story-restored; cp text /etc/cron.d/story-restored",
        tells: &[("/etc/cron.d/story-restored", &["cp"])],
        undoes: "rm /etc/cron.d/story-restored",
        ..ON_W3
    },
    Attack {
        id: "removed",
        about: "a file is taken away",
        technique: Some("T1070.004"),
        before: "cp text /etc/cron.d/story-removed",
        does: "unlink /etc/cron.d/story-removed",
        tells: &[("/etc/cron.d/story-removed", &["unlink"])],
        undoes: ":",
        ..ON_W3
    },
    Attack {
        id: "removed-by-a-search",
        about: "a file is taken away by what finds it",
        technique: Some("T1070.004"),
        before: "cp text /etc/cron.d/story-searched",
        does: "find /etc/cron.d -name story-searched -delete",
        tells: &[("/etc/cron.d/story-searched", &["find"])],
        undoes: ":",
        ..ON_W3
    },
    Attack {
        id: "copied-by-the-kernel",
        about: "the kernel copies from one file to another",
        before: "filled /etc/cron.d/story-copied; printf other >/root/story-source",
        does: r##"perl -e 'open(I, "<", "/root/story-source") or die; open(O, "+<", "/etc/cron.d/story-copied") or die;
            syscall(326, fileno(I), 0, fileno(O), 0, 5, 0) == 5 or die "$!"'"##,
        tells: &[("/etc/cron.d/story-copied", &["perl"])],
        undoes: "rm /etc/cron.d/story-copied /root/story-source",
        ..ON_W3
    },
    Attack {
        id: "sent-by-the-kernel",
        about: "the kernel sends one file to another",
        before: "filled /etc/cron.d/story-sent; printf other >other-sent",
        does: r##"perl -e 'open(I, "<", "other-sent") or die; open(O, "+<", "/etc/cron.d/story-sent") or die;
            syscall(40, fileno(O), fileno(I), 0, 5) == 5 or die "$!"'"##,
        tells: &[("/etc/cron.d/story-sent", &["perl"])],
        undoes: "rm /etc/cron.d/story-sent",
        ..ON_W3
    },
    Attack {
        id: "spliced",
        about: "what a pipe holds is moved into a file",
        before: "filled /etc/cron.d/story-spliced",
        does: r##"perl -e 'open(O, "+<", "/etc/cron.d/story-spliced") or die; pipe(R, W); syswrite(W, "other");
            syscall(275, fileno(R), 0, fileno(O), 0, 5, 0) == 5 or die "$!"'"##,
        tells: &[("/etc/cron.d/story-spliced", &["perl"])],
        undoes: "rm /etc/cron.d/story-spliced",
        ..ON_W3
    },
    Attack {
        id: "by-the-root-of-a-process",
        about: "a file is written by the root of another process",
        technique: Some("T1611"),
        does: "printf '# story\\n' >/proc/1/root/etc/cron.d/story-root",
        tells: &[("/etc/cron.d/story-root", &["dash"])],
        undoes: "rm /etc/cron.d/story-root",
        ..ON_W3
    },
    Attack {
        id: "changed-root",
        about: "a program writes that has another root",
        technique: Some("T1611"),
        does: "chroot /proc/1/root cp /etc/hostname /etc/cron.d/story-chroot",
        tells: &[("/etc/cron.d/story-chroot", &["cp"])],
        undoes: "rm /etc/cron.d/story-chroot",
        ..ON_W3
    },
    Attack {
        id: "mounted-elsewhere",
        about: "a directory is mounted elsewhere too, and written to there",
        technique: Some("T1611"),
        before: "mkdir -p bound",
        does: "mount --bind /etc/cron.d bound; cp text bound/story-bound; umount bound",
        tells: &[("/etc/cron.d/story-bound", &["cp"])],
        undoes: "rm /etc/cron.d/story-bound",
        ..ON_CP1
    },
    Attack {
        id: "own-mounts",
        about: "a program writes that sees mounts of its own",
        technique: Some("T1611"),
        does: "unshare --mount sh -c 'mount --bind /etc/cron.d /mnt; cp text /mnt/story-unshared'",
        tells: &[("/etc/cron.d/story-unshared", &["cp"])],
        undoes: "rm /etc/cron.d/story-unshared",
        ..ON_CP2
    },
    Attack {
        id: "by-the-runtime",
        about: "a container writes that has the machine's root, started past the kubelet",
        technique: Some("T1611"),
        before: "mkdir -p root; mount --bind / root",
        does: "ctr --namespace story run --rm --rootfs /run/story/root story \
               /usr/bin/cp /etc/hostname /etc/cron.d/story-ctr",
        tells: &[("/etc/cron.d/story-ctr", &["cp"])],
        undoes: "umount root; rm /etc/cron.d/story-ctr; ctr namespaces remove story",
        ..ON_W3
    },
    Attack {
        id: "by-a-pod",
        about: "a pod writes that has the machine's root, with a program called ringfort",
        technique: Some("T1611"),
        // An image that is there: its own programs are not asked for.
        before: "image=$(ctr --namespace k8s.io images list -q | grep /pause: | head -n 1); \
                 printf 'apiVersion: v1\\nkind: Pod\\nmetadata: { name: story-root, namespace: default }\\nspec:\\n  \
                 restartPolicy: Never\\n  containers:\\n  - name: a\\n    image: %s\\n    \
                 imagePullPolicy: IfNotPresent\\n    securityContext: { runAsUser: 0 }\\n    \
                 command: [/host/usr/local/bin/ringfort, integrity, key, /host/etc/cron.d/story-pod]\\n    \
                 volumeMounts: [{ name: host, mountPath: /host }]\\n  \
                 volumes: [{ name: host, hostPath: { path: / } }]\\n' \"$image\" >root-pod",
        does: "cp root-pod /etc/kubernetes/manifests/story-root.yaml; n=0; \
               until [ -s /etc/cron.d/story-pod ]; do n=$((n + 1)); [ $n -lt 90 ]; sleep 0.5; done",
        tells: &[
            ("/etc/kubernetes/manifests/story-root.yaml", &["cp"]),
            ("/etc/cron.d/story-pod", &["ringfort"]),
        ],
        undoes: "rm /etc/kubernetes/manifests/story-root.yaml; sleep 3; rm /etc/cron.d/story-pod",
        ..ON_CP1
    },
];
