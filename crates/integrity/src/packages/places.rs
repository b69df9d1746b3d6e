//! Where whatever is there came with a package, as data. Pure.

use super::glob;
use crate::path::FilePath;

/// Directories in which what no package names is told: programs, libraries, units, modules, and what is
/// run or read by root from `/usr/share`. `/usr/local` is nobody's, and protected by the baseline.
pub const SWEPT: &[&str] = &[
    "/usr/bin",
    "/usr/sbin",
    "/usr/games",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/share/bash-completion",
    "/usr/share/dbus-1",
    "/usr/share/initramfs-tools",
    "/usr/share/perl5",
    "/usr/share/polkit-1",
    "/usr/share/python3",
];

/// What packages make when they are installed, and nobody names: a pattern, and what makes it.
const GENERATED: &[(&str, &str)] = &[
    ("/usr/*/__pycache__/*.pyc", "python3 compiles modules"),
    ("/usr/lib/*/gconv/gconv-modules.cache", "iconvconfig lists encodings"),
    ("/usr/lib/*/gdk-pixbuf-2.0/*/loaders.cache", "gdk-pixbuf lists its modules"),
    ("/usr/lib/*/gio/modules/giomodule.cache", "gio lists its modules"),
    ("/usr/lib/*/gtk-[234].0/*/immodules.cache", "gtk lists its modules"),
    ("/usr/lib/jvm/*/lib/server/classes*.jsa", "java keeps classes"),
    ("/usr/lib/locale/locale-archive", "locale-gen makes locales"),
    ("/usr/lib/modules/*/modules.*", "depmod lists modules of the kernel"),
    ("/usr/lib/udev/hwdb.bin", "udev compiles its descriptions"),
];

/// Directories of what is read by people and not run.
const LOOSE: &[&str] = &[
    "/usr/include",
    "/usr/share/doc",
    "/usr/share/fonts",
    "/usr/share/icons",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/zoneinfo",
];

/// Directories of programs.
const PROGRAMS: &[&str] = &["/usr/bin", "/usr/sbin", "/usr/games", "/usr/libexec"];

/// Says whether packages make something of this name when they are installed.
pub fn is_generated(path: &FilePath) -> bool {
    GENERATED.iter().any(|(pattern, _)| glob::is_match(pattern.as_bytes(), path.as_bytes()))
}

/// Says whether something is read by people and not run.
pub fn is_loose(path: &FilePath) -> bool {
    is_below(LOOSE, path)
}

/// Says whether something lies among programs.
pub fn is_program(path: &FilePath) -> bool {
    is_below(PROGRAMS, path)
}

/// Says whether something lies where all is compared with packages.
pub fn is_swept(path: &FilePath) -> bool {
    is_below(SWEPT, path)
}

fn is_below(directories: &[&str], path: &FilePath) -> bool {
    directories.iter().any(|directory| {
        let rest = path.as_bytes().strip_prefix(directory.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_named_as_closely_as_can_be() {
        let check = |path: &str, expected| {
            assert_eq!(is_generated(&path.parse().unwrap()), expected, "{path}");
        };
        check("/usr/lib/python3/dist-packages/__pycache__/a.cpython-311.pyc", true);
        check("/usr/lib/python3/dist-packages/__pycache__/evil", false);
        check("/usr/lib/python3/dist-packages/evil.pth", false);
        check("/usr/lib/modules/6.1.0-28-amd64/modules.dep.bin", true);
        check("/usr/lib/modules/6.1.0-28-amd64/kernel/evil.ko", false);
        check("/usr/lib/x86_64-linux-gnu/gio/modules/giomodule.cache", true);
        check("/usr/lib/x86_64-linux-gnu/security/pam_evil.so", false);
        check("/usr/bin/evil", false);
    }

    #[test]
    fn programs_of_packages_lie_where_packages_put_them() {
        let check = |path: &str, expected| {
            assert_eq!(is_swept(&path.parse().unwrap()), expected, "{path}");
        };
        check("/usr/bin/kubelet", true);
        check("/usr/libexec/k8s/kubelet", true);
        check("/usr/local/lib/x/kubelet", false);
        check("/usr/binx/kubelet", false);
        check("/home/a/usr/bin/kubelet", false);
        check("/opt/kubelet", false);
    }
}
