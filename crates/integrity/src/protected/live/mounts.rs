//! Where a file of a process lies on the machine: by what is mounted where, for each. Pure.

/// What is mounted where, as a process sees it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mounts(Vec<Mount>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Mount {
    device: String,
    /// The directory of the file system that is mounted, or the file.
    root: String,
    /// Whether that was deleted since, or replaced by another one of that name.
    is_deleted: bool,
    point: String,
    kind: String,
}

/// What runtimes and the kubelet keep of containers and volumes: no files of the machine's own.
const OTHERS: [&str; 6] = [
    "/run/containerd/",
    "/run/containers/",
    "/var/lib/containerd/",
    "/var/lib/containers/",
    "/var/lib/docker/",
    "/var/lib/kubelet/pods/",
];

/// So many mounts of a process are looked at.
const MOST: usize = 16_384;

impl Mounts {
    /// Reads `/proc/PID/mountinfo`.
    pub fn read(text: &str) -> Self {
        Self(text.lines().take(MOST).filter_map(mount).collect())
    }

    /// Gives where a file that is seen here lies for whoever sees `machine`; nothing, where it is of a container's
    /// own root, of a volume, or of nothing that the machine sees.
    pub fn place(&self, path: &str, machine: &Self) -> Option<String> {
        let own = self.covering(path)?;
        if own.point == "/" && own.kind == "overlay" {
            return None;
        }
        let within = join(&own.root, below(path, &own.point)?);
        // Another may have the name of what was deleted.
        let is_same = |it: &&Mount| it.device == own.device && !it.is_deleted;
        let same = machine.0.iter().filter(is_same);
        let found = same.filter_map(|it| Some(join(&it.point, below(&within, &it.root)?)));
        // It may be seen at many places, also in roots of containers.
        let is_others = |path: &String| OTHERS.iter().any(|other| path.starts_with(other));
        found.filter(|path| !is_others(path)).min_by_key(String::len)
    }

    /// Says whether what is mounted at a path was deleted since, or replaced by another one of that name.
    pub fn is_deleted(&self, path: &str) -> bool {
        self.covering(path).is_some_and(|it| it.is_deleted)
    }

    fn covering(&self, path: &str) -> Option<&Mount> {
        // Of those at one place the last lies on top.
        let covers = self.0.iter().filter(|it| below(path, &it.point).is_some());
        covers.max_by_key(|it| it.point.len())
    }
}

/// What the kernel writes behind the root of a mount that was deleted: no path has two slashes.
const DELETED: &str = "//deleted";

fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut words = before.split(' ').skip(2);
    let (device, root, point) = (words.next()?, words.next()?, words.next()?);
    let kind = after.split(' ').next()?.to_owned();
    let root = plain(root);
    let deleted = root.strip_suffix(DELETED).map(str::to_owned);
    let (is_deleted, root) = (deleted.is_some(), deleted.unwrap_or(root));
    Some(Mount { device: device.to_owned(), root, is_deleted, point: plain(point), kind })
}

/// Gives what of a path lies below a directory; nothing, where it does not.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn join(directory: &str, rest: &str) -> String {
    let whole = format!("{}{rest}", directory.trim_end_matches('/'));
    if whole.is_empty() { "/".to_owned() } else { whole }
}

/// Reads blanks and other letters that the kernel writes as `\NNN`.
fn plain(text: &str) -> String {
    let mut pieces = text.split('\\');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let letter = piece.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match letter.filter(u8::is_ascii) {
            Some(letter) => {
                plain.push(char::from(letter));
                plain.push_str(&piece[3..]);
            }
            None => plain.push_str(piece),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::Mounts;

    const MACHINE: &str = "\
        21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        22 21 0:5 / /proc rw - proc proc rw\n\
        23 21 8:2 / /var rw - ext4 /dev/sda2 rw\n\
        24 21 8:1 /srv/a\\040b /mnt rw - ext4 /dev/sda1 rw\n\
        30 21 0:70 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs rw - overlay overlay rw\n";

    #[test]
    fn files_of_a_container_are_where_the_machine_has_them() {
        let own = Mounts::read(
            "40 1 0:70 / / rw - overlay overlay rw\n\
             41 40 8:1 /etc/kubernetes/pki /etc/kubernetes/pki ro - ext4 /dev/sda1 rw\n\
             42 40 8:2 /lib/audit /logs rw - ext4 /dev/sda2 rw\n\
             43 40 8:2 /lib/kubelet/pods/1/volumes/c /conf ro - ext4 /dev/sda2 rw\n\
             44 40 0:99 / /dev rw - tmpfs tmpfs rw\n",
        );
        let machine = Mounts::read(MACHINE);
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(own.place(path, &machine).as_deref(), expected, "{path}");
        };
        check("/etc/kubernetes/pki/ca.crt", Some("/etc/kubernetes/pki/ca.crt"));
        check("/logs/audit.log", Some("/var/lib/audit/audit.log"));
        check("/logs", Some("/var/lib/audit"));
        check("/etc/kubernetes/pkix", None);
        check("/usr/local/bin/kube-apiserver", None);
        check("/conf/config.conf", None);
        check("/dev/null", None);
    }

    #[test]
    fn what_was_replaced_since_it_was_mounted_lies_where_its_name_is() {
        let own = Mounts::read(
            "40 1 0:70 / / rw - overlay overlay rw\n\
             41 40 8:1 /srv/p.yaml//deleted /p.yaml ro - ext4 /dev/sda1 rw\n\
             42 40 8:1 /srv/x /x ro - ext4 /dev/sda1 rw\n",
        );
        let gone = "60 21 8:1 /srv//deleted /s rw - ext4 /dev/sda1 rw\n";
        let machine = Mounts::read(&format!("{MACHINE}{gone}"));
        assert_eq!(own.place("/p.yaml", &machine).as_deref(), Some("/srv/p.yaml"));
        assert_eq!(own.place("/x/y", &machine).as_deref(), Some("/srv/x/y"));
        assert_eq!(["/p.yaml", "/x/y"].map(|path| own.is_deleted(path)), [true, false]);
    }

    #[test]
    fn a_service_with_mounts_of_its_own_sees_the_machine() {
        let machine = Mounts::read(MACHINE);
        let own = Mounts::read(
            "50 1 8:1 / / rw - ext4 /dev/sda1 rw\n51 50 8:1 /srv/a\\040b/c /x rw - ext4 d rw",
        );
        let check = |path: &str, expected: &str| {
            assert_eq!(own.place(path, &machine).as_deref(), Some(expected), "{path}");
        };
        check("/etc/kubelet.yaml", "/etc/kubelet.yaml");
        check("/x/y", "/mnt/c/y");
        assert_eq!(Mounts::default().place("/etc", &machine), None);
    }
}
