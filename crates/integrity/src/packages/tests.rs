//! A law: whatever is written in a database, all of it is compared, told, or said to be unknown.

use super::*;
use crate::path::FilePath;
use crate::protected::Hash;

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const SUM: &str = "d41d8cd98f00b204e9800998ecf8427e";
const LINES: &[&str] =
    &["/usr/bin/a", "/usr/bin/b", "/bin/a", "/etc/a", "/usr/lib/ä b", "/.", "rel"];

/// Makes up packages, and gives with them what they name and what they have a digest of.
fn made_up(chance: &mut Chance) -> (Packages, Vec<FilePath>) {
    let mut names = Names::default();
    names.merge(&"/bin".parse().unwrap(), &"/usr/bin".parse().unwrap());
    let mut builder = Builder::new(names.clone());
    let mut named = Vec::new();
    for number in 0..1 + chance.below(4) {
        let state = chance.pick(&["installed", "half-installed", "config-files", "unpacked"]);
        let stanza = format!(
            "Package: p{number}\nStatus: install ok {state}\nArchitecture: all\nVersion: 1\n"
        );
        let package = read_status(stanza.as_bytes()).0.remove(0);
        let (mut list, mut sums) = (String::new(), String::new());
        for _ in 0..chance.below(6) {
            let line = chance.pick(LINES);
            list.push_str(&format!("{line}\n"));
            named.extend(names.path(line.as_bytes()).filter(|_| line != "/."));
            let sum = chance.pick(&[SUM, SUM, "torn", "D41D8CD98F00B204E9800998ECF8427F"]);
            sums.push_str(&format!("{sum}  {}\n", &line[1..]));
        }
        let has_sums = chance.below(4) > 0;
        builder.add(&package, Some(list.as_bytes()), has_sums.then_some(sums.as_bytes()));
    }
    (builder.finish(Alternatives::default()), named)
}

#[test]
fn every_path_of_a_list_is_found_again_and_what_was_torn_is_told() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (mut with_digest, mut without, mut torn) = (0, 0, 0);
    for round in 0..2_000 {
        let (packages, named) = made_up(&mut chance);
        for path in &named {
            let entry = packages.find(path);
            let entry = entry.unwrap_or_else(|| panic!("round {round}: {path} is not found"));
            match entry.expected.map(|it| it.hash) {
                Some(Hash::Md5(_)) => with_digest += 1,
                None => without += 1,
                other => panic!("round {round}: {other:?}"),
            }
        }
        let all: Vec<_> = packages.files().map(|(entry, _)| entry.path).collect();
        assert!(all.is_sorted_by(|one, other| one < other), "round {round}: {all:?}");
        assert!(all.iter().all(|path| named.contains(path)), "round {round}: {all:?}");
        assert!(packages.files().all(|(_, package)| package.is_some()), "round {round}");
        torn += packages.unknown.len();
    }
    assert!(with_digest > 500 && without > 500 && torn > 500, "{with_digest} {without} {torn}");
}

#[test]
fn a_path_of_a_package_takes_at_most_120_bytes() {
    let mut builder = Builder::new(Names::default());
    for number in 0..400 {
        let stanza =
            format!("Package: p{number}\nStatus: install ok installed\nArchitecture: all\n");
        let package = read_status(stanza.as_bytes()).0.remove(0);
        let path =
            |file: usize| format!("usr/lib/x86_64-linux-gnu/package-{number}/module-{file:07}.so");
        let list: String = (0..100).map(|file| format!("/{}\n", path(file))).collect();
        let sums: String = (0..100).map(|file| format!("{SUM}  {}\n", path(file))).collect();
        builder.add(&package, Some(list.as_bytes()), Some(sums.as_bytes()));
    }
    let packages = builder.finish(Alternatives::default());
    assert_eq!(packages.files().count(), 40_000);
    let each = packages.memory_bytes() / 40_000;
    assert!(each <= 120, "{each} bytes a path");
}
