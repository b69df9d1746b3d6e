//! What logs and a database make of a file that dpkg wrote.

use ringfort_model::mode::{FileMode, Owner as FileOwner};
use ringfort_model::severity::Severity;

use super::*;
use crate::judge::{Content, Seen};
use crate::protected::{Class, Expected, Hash, ModeRule, Presence};

const LOG: &str = "\
2026-11-28 10:00:00 startup archives unpack
2026-11-28 10:00:01 upgrade libc6:amd64 2.36-9 2.36-10
2026-11-28 10:00:01 status half-installed libc6:amd64 2.36-9
2026-11-28 10:00:02 configure libc6:amd64 2.36-10 <none>
2026-11-28 10:00:03 install less:amd64 <none> 590-2
2026-11-28 10:00:04 remove nano:amd64 7.2-1 <none>
2026-11-28 10:00:05 upgrade torn
";

const HISTORY: &str = "
Start-Date: 2026-11-27  09:00:00
Commandline: apt-get upgrade
Upgrade: libc6:amd64 (2.36-8, 2.36-9)
End-Date: 2026-11-27  09:00:09

Start-Date: 2026-11-28  10:00:00
Commandline: apt-get install less libc6
Requested-By: ann (1000)
Install: less:amd64 (590-2)
Upgrade: libc6:amd64 (2.36-9, 2.36-10), libc-bin:amd64 (2.36-9, 2.36-10)
";

fn hash(text: u8) -> Hash {
    Hash::Md5([text; 16])
}

fn owner(package: &str, content: Option<u8>) -> Owner {
    let expected = content.map(|text| Expected { size: None, hash: hash(text) });
    let entry = Protected {
        path: "/usr/bin/a".parse().unwrap(),
        class: Class::Packaged,
        presence: Presence::Required,
        severity: Severity::High,
        mode: expected.map(|_| ModeRule::AtMost(FileMode(0o7775))),
        owner: None,
        expected,
    };
    Owner { package: package.to_owned(), entry }
}

fn there(kind: Kind, text: u8) -> Look {
    let content = Content::Digest(hash(text));
    Look::There(Seen {
        kind,
        mode: FileMode(0o755),
        owner: FileOwner::ROOT,
        size: 1,
        content,
        number: 1,
        capabilities: Vec::new(),
    })
}

/// Says what comes of it: the package and what asked for it, or why it does not agree.
fn held(look: &Look, owner: Option<&Owner>, log: Option<&str>) -> String {
    let steps = log.map(|log| read_log(log.as_bytes()));
    let asked = read_history(HISTORY.as_bytes());
    let path = "/usr/bin/a".parse().unwrap();
    match hold(&path, look, owner, steps.as_deref(), &asked) {
        Outcome::Agrees(transaction) => transaction.text(),
        Outcome::Differs(why) => format!("no: {why}"),
    }
}

#[test]
fn logs_say_which_package_it_was_and_who_asked_for_it() {
    let said = held(&there(Kind::File, 1), Some(&owner("libc6 2.36-10", Some(1))), Some(LOG));
    let by = "by apt-get install less libc6 of ann (1000)";
    assert_eq!(said, format!("libc6 2.36-9 -> 2.36-10, 2026-11-28 10:00:01, {by}"));
    let said = held(&there(Kind::File, 1), Some(&owner("less 590-2", Some(1))), Some(LOG));
    assert_eq!(said, format!("less none -> 590-2, 2026-11-28 10:00:03, {by}"));
    let link = held(&there(Kind::Link, 1), Some(&owner("less 590-2", None)), Some(LOG));
    assert!(link.starts_with("less none -> 590-2"), "{link}");
    let gone =
        held(&Look::Missing, None, Some("2026-11-28 10:00:04 purge nano:amd64 7.2-1 <none>\n"));
    assert_eq!(gone, "nano 7.2-1 -> none, 2026-11-28 10:00:04");
    assert_eq!(held(&Look::Missing, None, Some(LOG)), "packages, 2026-11-28 10:00:04");
}

#[test]
fn a_forged_line_explains_nothing() {
    let check = |look: &Look, owner: Option<&Owner>, log: &str, expected: &str| {
        let said = held(look, owner, Some(log));
        assert!(said.starts_with("no: ") && said.contains(expected), "{said}");
    };
    let forged = "2026-11-28 10:00:01 upgrade libc6:amd64 2.36-9 2.36-10\n";
    let owned = owner("libc6 2.36-10", Some(1));
    let libc = || Some(&owned);
    check(&there(Kind::File, 2), libc(), forged, "not as libc6 2.36-10 has it");
    check(&there(Kind::Link, 1), libc(), forged, "not as libc6 2.36-10 has it");
    check(&Look::Missing, libc(), forged, "not as libc6 2.36-10 has it");
    check(&Look::Unreadable("EIO".to_owned()), libc(), forged, "not as libc6");
    check(&there(Kind::Device, 1), Some(&owner("libc6 2.36-10", None)), forged, "not as libc6");
    check(&there(Kind::File, 1), None, forged, "no package has /usr/bin/a");
    check(&there(Kind::File, 1), libc(), "", "no step to libc6 2.36-10");
    check(
        &there(Kind::File, 1),
        Some(&owner("libc6 2.36-9", Some(1))),
        forged,
        "no step to libc6 2.36-9",
    );
    check(&Look::Missing, None, "", "no step");
}

#[test]
fn where_no_log_is_kept_the_database_says_whose_it_is() {
    let said = held(&there(Kind::File, 1), Some(&owner("less 590-2", Some(1))), None);
    assert_eq!(said, "less none -> 590-2");
    let other = held(&there(Kind::File, 2), Some(&owner("less 590-2", Some(1))), None);
    assert!(other.starts_with("no: "), "{other}");
    let name = Transaction { package: Some("a\nb".to_owned()), ..Transaction::default() };
    assert!(!name.text().contains('\n'));
}
