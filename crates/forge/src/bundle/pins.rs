//! What bundles are made of: projects, programs and images as tables, each version written once.
//!
//! Versions of etcd, CoreDNS and pause are those that the same release of Kubernetes installs with
//! kubeadm (its `constants.go`); runtime and network plugins are the same for every minor.

use ringfort_model::bundle::HostTool;
use ringfort_model::mode::FileMode;
use ringfort_model::version::{KubeVersion, Minor};

/// The versions that belong together in one release.
#[derive(Debug)]
pub(super) struct Release {
    /// The minor of Kubernetes.
    pub minor: Minor,
    /// Its patch.
    pub patch: u32,
    /// Version of etcd.
    pub etcd: &'static str,
    /// Version of CoreDNS.
    pub coredns: &'static str,
    /// Version of pause.
    pub pause: &'static str,
}

/// The releases that bundles are made of, newest first.
pub(super) const RELEASES: [Release; 3] = [
    Release { minor: Minor::V1_37, patch: 2, etcd: "3.7.0", coredns: "1.14.6", pause: "3.10.2" },
    Release { minor: Minor::V1_36, patch: 3, etcd: "3.6.8", coredns: "1.14.2", pause: "3.10.2" },
    Release { minor: Minor::V1_35, patch: 4, etcd: "3.6.6", coredns: "1.13.1", pause: "3.10.1" },
];

impl Release {
    /// Finds the release of a minor, if its patch is the one that is asked for.
    pub(super) fn find(asked: KubeVersion) -> Option<&'static Self> {
        let patch = |release: &Self| asked.patch.is_none_or(|patch| patch == release.patch);
        RELEASES.iter().find(|release| release.minor == asked.minor && patch(release))
    }

    /// Gives the release of Kubernetes.
    pub(super) fn kubernetes(&self) -> KubeVersion {
        KubeVersion { minor: self.minor, patch: Some(self.patch) }
    }

    /// Gives the version of a project.
    pub(super) fn version(&self, project: &Project) -> String {
        match project.line {
            Line::Kubernetes => self.kubernetes().to_string(),
            Line::Etcd => self.etcd.to_owned(),
            Line::CoreDns => self.coredns.to_owned(),
            Line::Pause => self.pause.to_owned(),
            Line::Fixed(version) => version.to_owned(),
        }
    }

    /// Gives the version of Kubernetes' libraries, which its own `go.mod` leaves at v0.0.0.
    pub(super) fn libraries(&self) -> String {
        format!("v0.{}.{}", self.minor.number(), self.patch)
    }

    /// Writes a program's name and this release's numbers into a template of the tables below.
    pub(super) fn fill(&self, program: &Program, template: &str) -> String {
        template
            .replace("{name}", program.name)
            .replace("{version}", &self.version(program.project))
            .replace("{minor}", &self.minor.number().to_string())
    }
}

/// Where a project's version comes from.
#[derive(Debug)]
pub(super) enum Line {
    /// The release of Kubernetes.
    Kubernetes,
    /// The release's etcd.
    Etcd,
    /// The release's CoreDNS.
    CoreDns,
    /// The release's pause.
    Pause,
    /// The same in every release.
    Fixed(&'static str),
}

/// What is released and built together.
#[derive(Debug)]
pub(super) struct Project {
    /// Where its version comes from.
    pub line: Line,
    /// Its Go module; absent for programs of ringfort's own.
    pub module: Option<&'static str>,
    /// A main package that ringfort adds to it.
    pub main: Option<&'static str>,
    /// What is set in its binaries at link time.
    pub variables: &'static [&'static str],
    /// How it is compiled.
    pub compile: Compile,
    /// Its release file; absent for programs of ringfort's own.
    pub release: Option<ReleaseFile>,
    /// Its licence as an SPDX expression.
    pub licence: &'static str,
}

/// How a project is compiled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Compile {
    /// By Go alone.
    Go,
    /// With C code, linked statically with libseccomp.
    Seccomp,
}

/// A file of upstream's release.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReleaseFile {
    /// Its address.
    pub url: &'static str,
    /// Where upstream publishes its SHA-256 digest, alone or as a line of several.
    pub sums: &'static str,
    /// The program's path in it, if it is a packed archive and not the program itself.
    pub inside: Option<&'static str>,
}

/// One binary.
#[derive(Debug)]
pub(super) struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it is released with.
    pub project: &'static Project,
    /// Its package below the project's module.
    pub package: &'static str,
    /// How it comes to machines.
    pub ships: Ships,
}

/// How a program comes to machines.
#[derive(Debug)]
pub(super) enum Ships {
    /// As a file.
    File,
    /// As the only program of an image.
    Image(Image),
    /// Not at all: it is built only when asked for by name.
    Apart,
    /// As little: it is the package's tests as a program.
    Suite,
}

impl Program {
    /// Says whether it is part of a bundle.
    pub(super) fn ships(&self) -> bool {
        matches!(self.ships, Ships::File | Ships::Image(_))
    }
}

/// What is particular to an image.
#[derive(Debug)]
pub(super) struct Image {
    /// Its name, as pods name it.
    pub reference: &'static str,
    /// The user it runs as unless a pod says otherwise; empty means root.
    pub user: &'static str,
    /// Where the program lies in it.
    pub path: &'static str,
}

/// Programs are executable by all and writable by root.
pub(super) const PROGRAM_MODE: FileMode = FileMode(0o755);
/// Archives are data.
pub(super) const ARCHIVE_MODE: FileMode = FileMode(0o644);
/// The image that holds certificates of public authorities, if the bundle is given some: API
/// servers check the issuers of people's tokens.
pub(super) const NEEDS_AUTHORITIES: &str = "kube-apiserver";

/// Every program, the small ones first.
pub(super) static PROGRAMS: &[Program] = &[
    own("pause", &PAUSE, "registry.k8s.io/pause:{version}", "65535:65535"),
    own("probe", &PROBE, "ringfort.dev/probe:{version}", NOBODY),
    file("bridge", &CNI, "/plugins/main/bridge"),
    file("host-local", &CNI, "/plugins/ipam/host-local"),
    file("loopback", &CNI, "/plugins/main/loopback"),
    file("portmap", &CNI, "/plugins/meta/portmap"),
    file("runc", &RUNC, ""),
    file("etcdctl", &ETCDCTL, ""),
    file("etcdutl", &ETCDUTL, ""),
    Program {
        name: "etcd",
        project: &ETCD,
        package: "",
        ships: Ships::Image(Image {
            reference: "registry.k8s.io/etcd:{version}-0",
            user: "2379:2379",
            path: "usr/local/bin/etcd",
        }),
    },
    file("containerd", &CONTAINERD, "/cmd/containerd"),
    file("containerd-shim-runc-v2", &CONTAINERD, "/cmd/containerd-shim-runc-v2"),
    file("ctr", &CONTAINERD, "/cmd/ctr"),
    own("coredns", &COREDNS, "registry.k8s.io/coredns/coredns:v{version}", NOBODY),
    file("kubectl", &KUBERNETES, "/cmd/kubectl"),
    file("kubelet", &KUBERNETES, "/cmd/kubelet"),
    file("kube-proxy", &KUBERNETES, "/cmd/kube-proxy"),
    control_plane("kube-scheduler", "/cmd/kube-scheduler", NOBODY),
    control_plane("kube-controller-manager", "/cmd/kube-controller-manager", NOBODY),
    control_plane("kube-apiserver", "/cmd/kube-apiserver", ""),
    Program { name: "kubeadm", project: &KUBERNETES, package: "/cmd/kubeadm", ships: Ships::Apart },
    Program { name: "e2e.test", project: &KUBERNETES, package: "/test/e2e", ships: Ships::Suite },
    Program {
        name: "agnhost",
        project: &KUBERNETES,
        package: "/test/images/agnhost",
        ships: Ships::Apart,
    },
    Program {
        name: "nnp",
        project: &KUBERNETES,
        package: "/test/images/nonewprivs",
        ships: Ships::Apart,
    },
    Program { name: "ginkgo", project: &GINKGO, package: "/ginkgo", ships: Ships::Apart },
    Program { name: "kube-bench", project: &KUBE_BENCH, package: "", ships: Ships::Apart },
];

/// A user that owns nothing anywhere.
const NOBODY: &str = "65532:65532";

const fn file(name: &'static str, project: &'static Project, package: &'static str) -> Program {
    Program { name, project, package, ships: Ships::File }
}

const fn control_plane(name: &'static str, package: &'static str, user: &'static str) -> Program {
    let reference = "registry.k8s.io/{name}:v{version}";
    let ships = Ships::Image(Image { reference, user, path: "usr/local/bin/{name}" });
    Program { name, project: &KUBERNETES, package, ships }
}

/// A program whose main package is ringfort's own.
const fn own(
    name: &'static str,
    project: &'static Project,
    reference: &'static str,
    user: &'static str,
) -> Program {
    let ships = Ships::Image(Image { reference, user, path: "{name}" });
    Program { name, project, package: "", ships }
}

static KUBERNETES: Project = Project {
    line: Line::Kubernetes,
    module: Some("k8s.io/kubernetes"),
    variables: &[
        "k8s.io/component-base/version.gitVersion=v{version}",
        "k8s.io/component-base/version.gitMajor=1",
        "k8s.io/component-base/version.gitMinor={minor}",
        "k8s.io/client-go/pkg/version.gitVersion=v{version}",
    ],
    release: Some(ReleaseFile {
        url: "https://dl.k8s.io/release/v{version}/bin/linux/amd64/{name}",
        sums: "https://dl.k8s.io/release/v{version}/bin/linux/amd64/{name}.sha256",
        inside: None,
    }),
    ..PLAIN
};

static ETCD: Project = Project { module: Some("go.etcd.io/etcd/server/v3"), ..ETCD_LINE };
static ETCDCTL: Project = Project { module: Some("go.etcd.io/etcd/etcdctl/v3"), ..ETCD_LINE };
static ETCDUTL: Project = Project { module: Some("go.etcd.io/etcd/etcdutl/v3"), ..ETCD_LINE };

const ETCD_LINE: Project = Project {
    line: Line::Etcd,
    release: Some(ReleaseFile {
        url: "https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-amd64.tar.gz",
        sums: "https://github.com/etcd-io/etcd/releases/download/v{version}/SHA256SUMS",
        inside: Some("etcd-v{version}-linux-amd64/{name}"),
    }),
    ..PLAIN
};

static COREDNS: Project = Project {
    line: Line::CoreDns,
    module: Some("github.com/coredns/coredns"),
    main: Some(include_str!("go/coredns.go")),
    release: Some(ReleaseFile {
        url: "https://github.com/coredns/coredns/releases/download/v{version}/coredns_{version}_linux_amd64.tgz",
        sums: "https://github.com/coredns/coredns/releases/download/v{version}/coredns_{version}_linux_amd64.tgz.sha256",
        inside: Some("coredns"),
    }),
    ..PLAIN
};

static CONTAINERD: Project = Project {
    line: Line::Fixed("2.4.2"),
    module: Some("github.com/containerd/containerd/v2"),
    variables: &["github.com/containerd/containerd/v2/version.Version=v{version}"],
    release: Some(ReleaseFile {
        url: "https://github.com/containerd/containerd/releases/download/v{version}/containerd-static-{version}-linux-amd64.tar.gz",
        sums: "https://github.com/containerd/containerd/releases/download/v{version}/containerd-static-{version}-linux-amd64.tar.gz.sha256sum",
        inside: Some("bin/{name}"),
    }),
    ..PLAIN
};

/// The library that runc is linked with is in the binary, and so its licence counts.
static RUNC: Project = Project {
    line: Line::Fixed("1.5.2"),
    module: Some("github.com/opencontainers/runc"),
    compile: Compile::Seccomp,
    release: Some(ReleaseFile {
        url: "https://github.com/opencontainers/runc/releases/download/v{version}/runc.amd64",
        sums: "https://github.com/opencontainers/runc/releases/download/v{version}/runc.sha256sum",
        inside: None,
    }),
    licence: "Apache-2.0 AND LGPL-2.1-only",
    ..PLAIN
};

static CNI: Project = Project {
    line: Line::Fixed("1.9.1"),
    module: Some("github.com/containernetworking/plugins"),
    variables: &[
        "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v{version}",
    ],
    release: Some(ReleaseFile {
        url: "https://github.com/containernetworking/plugins/releases/download/v{version}/cni-plugins-linux-amd64-v{version}.tgz",
        sums: "https://github.com/containernetworking/plugins/releases/download/v{version}/cni-plugins-linux-amd64-v{version}.tgz.sha256",
        inside: Some("{name}"),
    }),
    ..PLAIN
};

static KUBE_BENCH: Project = Project {
    line: Line::Fixed("0.8.0"),
    module: Some("github.com/aquasecurity/kube-bench"),
    variables: &["github.com/aquasecurity/kube-bench/cmd.KubeBenchVersion=v{version}"],
    release: Some(ReleaseFile {
        url: "https://github.com/aquasecurity/kube-bench/releases/download/v{version}/kube-bench_{version}_linux_amd64.tar.gz",
        sums: "https://github.com/aquasecurity/kube-bench/releases/download/v{version}/kube-bench_{version}_checksums.txt",
        inside: Some("kube-bench"),
    }),
    ..PLAIN
};

/// What runs several tests of the suite at once, in the version that the newest suite is built with.
static GINKGO: Project = Project {
    line: Line::Fixed("2.32.0"),
    module: Some("github.com/onsi/ginkgo/v2"),
    licence: "MIT",
    ..PLAIN
};

static PAUSE: Project =
    Project { line: Line::Pause, main: Some(include_str!("go/pause.go")), ..OWN };
static PROBE: Project =
    Project { line: Line::Fixed("1"), main: Some(include_str!("go/probe.go")), ..OWN };

const OWN: Project = Project { variables: &["main.version={version}"], ..PLAIN };

/// What most projects have in common.
const PLAIN: Project = Project {
    line: Line::Fixed(""),
    module: None,
    main: None,
    variables: &[],
    compile: Compile::Go,
    release: None,
    licence: "Apache-2.0",
};

/// The sums of the projects' modules, as Go's checksum database has them. They are checked besides
/// it, so that a bundle made where that database is a mirror's is the same bundle.
pub(super) const MODULE_SUMS: &[(&str, &str, &str)] = &[
    ("k8s.io/kubernetes", "v1.37.2", "h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE="),
    ("k8s.io/kubernetes", "v1.36.3", "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o="),
    ("k8s.io/kubernetes", "v1.35.4", "h1:o/8dBC/pHVpYoGV4OAIytAlNPZbdYVTXJHoYvXC4qzM="),
    ("go.etcd.io/etcd/server/v3", "v3.7.0", "h1:ScdUdN8ljuimp0lZaNq0otLMrHcFSFT+dQyT1j7JSFo="),
    ("go.etcd.io/etcd/server/v3", "v3.6.8", "h1:U2strdSEy1U8qcSzRIdkYpvOPtBy/9i/IfaaCI9flZ4="),
    ("go.etcd.io/etcd/server/v3", "v3.6.6", "h1:YSRWGJPzU+lIREwUQI4MfyLZrkUyzjJOVpMxJvZePaY="),
    ("go.etcd.io/etcd/etcdctl/v3", "v3.7.0", "h1:Atizaao5zK04g4SOl4sQCkUi7aDab8/IwpOQdWEBotM="),
    ("go.etcd.io/etcd/etcdctl/v3", "v3.6.8", "h1:iO3zX9xuY/X2Y+fnt6mUR7o/18iBGYpd/lhs/4FqHCc="),
    ("go.etcd.io/etcd/etcdctl/v3", "v3.6.6", "h1:6ZcRUDkqxRr5natf/7RiTREP51qNjy3Gn2O1WnXp3bI="),
    ("go.etcd.io/etcd/etcdutl/v3", "v3.7.0", "h1:NWpz72HizSHVmOK+zDA6LwLpFBq5qAQiiJm3VV55rDY="),
    ("go.etcd.io/etcd/etcdutl/v3", "v3.6.8", "h1:5YolVcLplhVwSR7IXemN7kBpx/L4qHAmyNc+iW+PL/k="),
    ("go.etcd.io/etcd/etcdutl/v3", "v3.6.6", "h1:rY7lLz2HKD9ma7AqpAuyRSpMxnYjuZjv4lXO1k2Z8ZM="),
    (
        "github.com/containerd/containerd/v2",
        "v2.4.2",
        "h1:p6Qg+xbEz8lvwdhHDx0U469xENvp4LgGBx+E7djXkGw=",
    ),
    ("github.com/opencontainers/runc", "v1.5.2", "h1:eUUowc2WJCnFYzI87C1WqRcu356Dk/wsoi90y+2wEfE="),
    (
        "github.com/containernetworking/plugins",
        "v1.9.1",
        "h1:8oU6WsIsU3bpnNZuvHp74a6cE1MJwbj2P7s4/yTUNlA=",
    ),
    (
        "github.com/aquasecurity/kube-bench",
        "v0.8.0",
        "h1:8SF/QBGZtgpn0hlqugx92crJqG2cv60Y+PaiaIs+3/w=",
    ),
    ("github.com/onsi/ginkgo/v2", "v2.32.0", "h1:Hw7s2pVrQo/8Yz5N77qdnpHaoc+c6cC9WIV1Jce+J6E="),
    ("github.com/coredns/coredns", "v1.14.6", "h1:V2g2JdCWJVqYGdX8tlBiK0iQo23Pnt8xs8gHqKyFYs8="),
    ("github.com/coredns/coredns", "v1.14.2", "h1:L6ECLwm4Fjg7NJamtGBFDBjk/uqvCJjfgAEhrxh5zJo="),
    ("github.com/coredns/coredns", "v1.13.1", "h1:yhYvf/QVwHNjBK65RkC8d9VW91dP9XKem3BOon4eokg="),
];

/// Programs that Kubernetes calls and that belong to the machine's own system.
pub(super) fn host_tools() -> Vec<HostTool> {
    let tool = |name: &str, at_least: Option<&str>, why: &str| HostTool {
        name: name.to_owned(),
        at_least: at_least.map(str::to_owned),
        why: why.to_owned(),
    };
    vec![
        tool("nft", Some("1.0.1"), "kube-proxy in nftables mode and the portmap plugin"),
        tool("mount", None, "kubelet mounts volumes"),
        tool("umount", None, "kubelet unmounts volumes"),
        tool("systemctl", Some("247"), "ringfort enables and restarts units"),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ringfort_controls::versions::pinned_by_digest::support::{Ends, listed};

    use super::{MODULE_SUMS, PROGRAMS, RELEASES, Release};

    #[test]
    fn every_module_of_every_release_has_its_sum_and_no_sum_is_idle() {
        let known: BTreeSet<_> = MODULE_SUMS
            .iter()
            .map(|(module, version, _)| (*module, (*version).to_owned()))
            .collect();
        let mut used = BTreeSet::new();
        for release in &RELEASES {
            for program in PROGRAMS {
                let Some(module) = program.project.module else { continue };
                used.insert((module, format!("v{}", release.version(program.project))));
            }
        }
        assert_eq!(known, used);
    }

    /// A missing row would keep every cluster of the release from being handed over.
    #[test]
    fn until_when_a_pinned_version_is_mended_is_known_where_upstream_names_days() {
        for release in &RELEASES {
            let shipped = PROGRAMS.iter().filter(|program| program.ships());
            let lock: Vec<(&str, String)> =
                shipped.map(|program| (program.name, release.version(program.project))).collect();
            let entries = lock.iter().map(|(name, version)| (*name, version.as_str()));
            let ends = Ends::of(entries, 0);
            let minor = release.minor;
            assert!(ends.unknown.is_empty(), "{minor}: {}", listed(&ends.unknown));
            let within = listed(&ends.within);
            for project in ["containerd ", "etcd ", "runc "] {
                assert!(within.contains(project), "{minor}: {within}");
            }
            assert_eq!(listed(&ends.no_day), "CNI plugins, coredns", "{minor}");
        }
    }

    #[test]
    fn names_are_unique_and_templates_are_filled() {
        let names: BTreeSet<_> = PROGRAMS.iter().map(|program| program.name).collect();
        assert_eq!(names.len(), PROGRAMS.len());
        for program in PROGRAMS {
            for template in program.project.variables {
                let filled = RELEASES[0].fill(program, template);
                assert!(!filled.contains(['{', '}']), "{filled}");
            }
        }
    }

    #[test]
    fn a_release_is_found_by_its_minor_or_its_patch() {
        let check = |text: &str, expected: Option<&str>| {
            let asked = text.parse().expect("a version");
            let found = Release::find(asked).map(|release| release.kubernetes().to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("1.37", Some("1.37.2"));
        check("1.36.3", Some("1.36.3"));
        check("1.35.3", None);
    }
}
