//! Which paths arguments and configurations come to.

use super::*;

fn running(line: &str) -> Running {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let name = words[0].rsplit('/').next().unwrap();
    let program = program(name).unwrap();
    let exe = words[0].starts_with('/').then(|| words[0].clone());
    Running { program, exe, words, unit: None }
}

/// Reads for a process what it wants, as often as it wants something.
fn read(running: &Running, files: &[(&str, &str)]) -> Named {
    let mut sight = Sight::default();
    for _ in 0..10 {
        let named = named_by(running, &sight);
        if named.wants.is_empty() {
            return named;
        }
        for want in named.wants {
            match want {
                Want::Text(path) => {
                    let text = files.iter().find(|(own, _)| *own == path).map(|(_, text)| *text);
                    let read = match text {
                        None => Read::Absent,
                        Some("dark") => Read::Unreadable("permission denied".to_owned()),
                        Some(text) => Read::Text(text.to_owned()),
                    };
                    sight.texts.insert(path, read);
                }
                Want::Names(directory) => {
                    let within = format!("{directory}/");
                    let names = files.iter().filter_map(|(path, _)| path.strip_prefix(&within));
                    let names = names.filter(|name| !name.contains('/')).map(str::to_owned);
                    sight.names.insert(directory, Ok(names.collect()));
                }
            }
        }
    }
    panic!("it wants more and more");
}

fn paths(named: &Named) -> Vec<String> {
    named.paths.keys().map(ToString::to_string).collect()
}

fn check(line: &str, files: &[(&str, &str)], expected: &[&str]) {
    let named = read(&running(line), files);
    assert_eq!(paths(&named), expected, "{line}");
    assert!(named.gaps.is_empty(), "{line}: {:?}", named.gaps);
}

#[test]
fn flags_are_read_as_their_component_does() {
    check("kube-apiserver --audit-policy-file=/a --audit-policy-file=/b", &[], &["/b"]);
    check("kube-apiserver --audit_policy_file /a --profiling", &[], &["/a"]);
    check(
        "kube-apiserver --service-account-key-file=/a --service-account-key-file=/b",
        &[],
        &["/a", "/b"],
    );
    check("kube-apiserver --tls-sni-cert-key=/c,/k:x.example", &[], &["/c", "/k"]);
    check("kube-apiserver --etcd-prefix=/registry", &[], &[]);
    check("kube-scheduler --authorization-always-allow-paths=/healthz,/livez", &[], &[]);
    check(
        "/usr/bin/kubelet --cgroup-root=/kube --root-dir=/var/lib//kubelet/",
        &[],
        &["/usr/bin/kubelet", "/var/lib/kubelet"],
    );
    check("etcd -cert-file /c -data-dir=/d", &[], &["/c", "/d"]);
    check("kube-apiserver --client-ca-file=//srv//./ca", &[], &["/srv/ca"]);
    check("kube-apiserver --audit-policy-file=/srv/a,b.yaml", &[], &["/srv/a,b.yaml"]);
    check("kube-apiserver --audit-log-path=- --audit-policy-file=/a", &[], &["/a"]);
}

#[test]
fn only_where_paths_stand_a_text_is_one() {
    let secret = "/S3cret";
    check(&format!("kube-apiserver --service-account-issuer={secret} {secret}"), &[], &[]);
    let of_kubelet = format!("staticPodToken: {secret}\nclusterDNS: [{secret}]\n");
    check("kubelet --config=/k", &[("/k", &of_kubelet)], &["/k"]);
    let of_containerd =
        format!("[x.\"r\".auth]\npassword = '{secret}'\nidentitytoken = '{secret}'\n");
    check("containerd --config /c", &[("/c", &of_containerd)], &["/c"]);
    let network = format!("{{\"etcd_password\": \"{secret}\", \"token\": \"{secret}\"}}");
    let files = [("/c", ""), ("/etc/cni/net.d/1.conf", network.as_str())];
    check("containerd --config /c", &files, &["/c"]);
}

#[test]
fn what_is_named_and_cannot_be_watched_is_told() {
    let gap = |line: &str, expected: &str| {
        let named = read(&running(line), &[]);
        let found = named.gaps.iter().any(|gap| gap.contains(expected));
        assert!(named.paths.is_empty() && found, "{line}: {named:?}");
        assert!(!named.gaps.iter().any(|gap| gap.contains("hidden")), "{line}: {named:?}");
    };
    gap("kube-apiserver --audit-policy-file=hidden.yaml", "relative");
    gap("kube-apiserver --audit-policy-file=/a/../hidden", "upwards");
    gap("kube-apiserver --audit-policy-file=/hidden\u{fffd}", "no text");
    gap(&format!("etcd --cert-file=/{}", "a/".repeat(40)), "too deep");
    gap("kube-apiserver --brand-new=/hidden", "--brand-new of kube-apiserver is not known");
    let many: Vec<String> =
        (0..300).map(|number| format!("--service-account-key-file=/{number}")).collect();
    let named = read(&running(&format!("kube-apiserver {}", many.join(" "))), &[]);
    assert_eq!(named.paths.len(), MOST_PATHS);
    assert!(named.gaps.first().unwrap().contains("more than"), "{:?}", named.gaps);
}

#[test]
fn what_strangers_wrote_is_told_on_one_line_and_cut() {
    assert_eq!(told("/a\n\u{1b}b"), "/a\\x0a\\x1bb");
    assert_eq!(told(&"é".repeat(500)).chars().count(), MOST_TOLD + 1);
    let named = read(&running("kubelet --config=/k\nevil"), &[("/k\nevil", "dark")]);
    let gap = named.gaps.first().unwrap();
    assert!(gap.contains("/k\\x0aevil") && !gap.contains('\n'), "{gap}");
}

#[test]
fn what_cannot_be_read_for_certain_is_protected_and_told() {
    let named = read(&running("kube-apiserver -x --audit-policy-file=/a"), &[]);
    assert_eq!(paths(&named), ["/a"]);
    assert_eq!(named.gaps.len(), 1, "{:?}", named.gaps);
    let named = read(&running("kubelet --config=/k"), &[("/k", "dark")]);
    assert!(named.gaps.first().unwrap().contains("permission denied"), "{:?}", named.gaps);
    let named = read(&running("kubelet --config=/k"), &[("/k", "token: {secret")]);
    assert!(!format!("{:?}", named.gaps).contains("secret"), "{:?}", named.gaps);
}

#[test]
fn a_kubelet_names_what_its_file_and_its_drop_ins_name() {
    let file = "kind: KubeletConfiguration\nstaticPodPath: /srv/pods\ncgroupRoot: /x\nauthentication:\n  x509:\n    clientCAFile: /ca\n";
    let over = "kind: KubeletConfiguration\nvolumePluginDir: /srv/plugins\n";
    let files = [("/k.yaml", file), ("/d/1.conf", over), ("/d/2.txt", "x: /no\n")];
    let named = read(&running("kubelet --config=/k.yaml --config-dir=/d/"), &files);
    assert_eq!(paths(&named), ["/ca", "/d", "/k.yaml", "/srv/plugins", "/srv/pods"]);
    let of = |path: &str| &named.paths[&path.parse::<FilePath>().unwrap()];
    assert_eq!((of("/srv/pods").sense, of("/d").sense), (Sense::Holds, Sense::Holds));
    assert_eq!(of("/k.yaml").by, "--config of kubelet");
    assert_eq!(of("/srv/plugins").by, "/d/1.conf of kubelet");
}

#[test]
fn an_admission_configuration_names_others_beside_it() {
    let own = "plugins:\n- name: A\n  path: a.yaml\n";
    let files = [("/c/own.yaml", own), ("/c/a.yaml", "kubeConfigFile: /c/hook.conf\n")];
    let line = "kube-apiserver --admission-control-config-file=/c/own.yaml";
    check(line, &files, &["/c/a.yaml", "/c/hook.conf", "/c/own.yaml"]);
}

#[test]
fn containerd_names_what_it_imports_and_its_networks() {
    let own = "imports = ['conf.d/*.toml', \"/srv/one.toml\"]\n[cni]\nbin_dir = '/srv/cni/bin'\nconf_dir = \"/srv/cni\"\n[grpc]\naddress = '/run/c.sock'\n";
    let files = [
        ("/c/own.toml", own),
        ("/c/conf.d/1.toml", "BinaryName = '/opt/runc'\n"),
        ("/c/conf.d/1.toml.bak", "BinaryName = '/no'\n"),
        ("/srv/one.toml", "imports = ['/c/own.toml']\n"),
        (
            "/srv/cni/1.conflist",
            "{\"plugins\": [{\"kubeconfig\": \"/srv/kc\", \"log_file\": \"/no\"}]}",
        ),
    ];
    check(
        "/usr/bin/containerd -c /no.toml --config /c/own.toml",
        &files,
        &[
            "/c/conf.d",
            "/c/conf.d/1.toml",
            "/c/own.toml",
            "/opt/runc",
            "/srv/cni",
            "/srv/cni/bin",
            "/srv/kc",
            "/srv/one.toml",
            "/usr/bin/containerd",
        ],
    );
    check("containerd", &[], &["/etc/containerd/config.toml"]);
    let named = read(&running("containerd --config=/c"), &[("/c", "a = \"secret")]);
    assert!(named.gaps.first().unwrap().contains("no TOML"), "{:?}", named.gaps);
}

#[test]
fn a_unit_names_what_it_reads() {
    let unit =
        Running { exe: None, unit: Some("kubelet.service".to_owned()), ..running("kubelet") };
    let files = [
        ("/usr/lib/systemd/system/kubelet.service", "ExecStart=/usr/bin/kubelet --a /no\n"),
        ("/etc/systemd/system/kubelet.service.d/1.conf", "EnvironmentFile=-/srv/k.env\n"),
    ];
    let named = read(&unit, &files);
    assert_eq!(
        paths(&named),
        [
            "/etc/systemd/system/kubelet.service.d/1.conf",
            "/srv/k.env",
            "/usr/bin/kubelet",
            "/usr/lib/systemd/system/kubelet.service",
        ]
    );
}

#[test]
fn what_is_there_says_how_it_may_change() {
    let protects = |path: &str, sense, kind: Option<Kind>| {
        let mention = Mention { by: String::new(), sense };
        let (entry, why) = mention.protects(path.parse().unwrap(), kind);
        why.map_or(Ok(entry.class), Err)
    };
    let check = |sense, kind: Option<Kind>, expected| {
        assert_eq!(protects("/srv/a", sense, kind), Ok(expected), "{sense:?} {kind:?}");
    };
    check(Sense::Plain, Some(Kind::File), Class::Exact);
    check(Sense::Plain, None, Class::Exact);
    check(Sense::Plain, Some(Kind::Directory), Class::Kept);
    check(Sense::Holds, Some(Kind::Directory), Class::Watched);
    check(Sense::Holds, Some(Kind::File), Class::Exact);
    check(Sense::Holds, None, Class::Watched);
    check(Sense::Data, None, Class::Kept);
    check(Sense::Log, Some(Kind::File), Class::Growing);
    let refused = |path: &str, sense, kind: Option<Kind>, expected: &str| {
        let why = protects(path, sense, kind).unwrap_err();
        assert!(why.contains(expected), "{path}: {why}");
    };
    refused("/srv/a", Sense::Plain, Some(Kind::Socket), "no file");
    refused("/run/resolv.conf", Sense::Plain, Some(Kind::File), "nothing stays");
    refused("/dev/shm", Sense::Holds, Some(Kind::Directory), "nothing stays");
    refused("/proc/1/root/srv", Sense::Holds, None, "nothing stays");
    for wide in ["/", "/etc", "/var", "/usr", "/home", "/home/a", "/var/lib", "/srv"] {
        refused(wide, Sense::Holds, Some(Kind::Directory), "too wide");
    }
    // What data are in is kept, and nothing in it is looked at.
    for data in ["/etcd", "/data", "/var/lib"] {
        assert_eq!(protects(data, Sense::Data, None), Ok(Class::Kept), "{data}");
    }
    refused("/", Sense::Data, Some(Kind::Directory), "too wide");
    refused("/proc", Sense::Data, Some(Kind::Directory), "nothing stays");
    let below_run = protects("/run/cdi", Sense::Holds, Some(Kind::Directory));
    assert_eq!(below_run, Ok(Class::Watched));
    assert_eq!(protects("/k.yaml", Sense::Plain, Some(Kind::File)), Ok(Class::Exact));
}

#[test]
fn every_flag_that_names_paths_is_one() {
    let is_known = |name: &str| {
        Component::ALL.into_iter().any(|component| {
            let words = [component.program().to_owned(), format!("--{name}=/x")];
            let read = CommandLine::of_process(component, &words);
            read.known().is_ok_and(|line| line.value.unknown.is_empty())
        })
    };
    for (flag, _) in keys::FLAGS {
        assert!(is_known(flag), "{flag}");
    }
}
