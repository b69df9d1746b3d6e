//! What was seen of a path, held against what should be there. Pure.

use std::fmt;

use ringfort_model::mode::{FileMode, Owner};
use serde::{Deserialize, Serialize};

use crate::protected::{Class, Hash, ModeRule, Presence, Protected};

/// What something is, links not followed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

/// What a look at a path gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Look {
    /// Nothing is there.
    Missing,
    /// It could not be looked at.
    Unreadable(String),
    /// Something on the way to it is no directory: what lies behind that is not what was there.
    Astray(String),
    /// It is there.
    There(Seen),
}

/// What is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: FileMode,
    /// Whose it is.
    pub owner: Owner,
    /// Its size.
    pub size: u64,
    /// What a file holds, or where a link leads.
    pub content: Content,
    /// Its number on its file system, by which it is the same file under another name.
    pub number: u64,
    /// The capabilities that a file gives to whoever runs it, as the kernel keeps them; empty where there are none,
    /// or where its content was not asked for.
    pub capabilities: Vec<u8>,
}

/// What was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// Its digest.
    Digest(Hash),
    /// Nothing was asked for, or its size alone shows that it is another.
    Unread,
    /// It could not be read whole.
    Unreadable(String),
}

/// One way in which something is not as it should be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// In what.
    pub of: Aspect,
    /// What should be.
    pub expected: String,
    /// What is.
    pub found: String,
}

/// In what something may differ.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// Whether it is there.
    Presence,
    /// What it is.
    Kind,
    /// Its permission bits.
    Mode,
    /// Whose it is.
    Owner,
    /// What it holds.
    Content,
    /// What it lets whoever runs it do.
    Capabilities,
    /// What names it on the machine.
    Named,
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Presence => "presence",
            Self::Kind => "kind",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Content => "content",
            Self::Capabilities => "capabilities",
            Self::Named => "named",
        })
    }
}

/// What came of holding both against each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Everything that was to be compared is as it should be.
    Same,
    /// What it should hold is known to nobody beforehand; the rest is as it should be.
    ContentUnstated,
    /// It is not as it should be.
    Differs(Vec<Difference>),
    /// It could not be seen whether it is.
    Unknown(String),
}

/// Holds what was seen against what should be there. A difference stands whatever else was not seen;
/// without one, whatever was not seen makes it unknown.
pub fn judge(entry: &Protected, look: &Look) -> Verdict {
    let seen = match look {
        Look::Unreadable(why) | Look::Astray(why) => return Verdict::Unknown(why.clone()),
        Look::Missing if entry.presence == Presence::Required => {
            return Verdict::Differs(vec![differs(Aspect::Presence, "there", "missing")]);
        }
        Look::Missing => return Verdict::Same,
        Look::There(seen) => seen,
    };
    if entry.presence == Presence::Forbidden {
        return Verdict::Differs(vec![differs(Aspect::Presence, "missing", "there")]);
    }
    let mut all = Vec::new();
    let wanted = match entry.class {
        Class::Kept if KEPT_FILES.contains(&entry.path.as_bytes()) => Kind::File,
        class => kind_of(class),
    };
    if seen.kind == Kind::Link && MAY_BE_LINKS.contains(&entry.path.as_bytes()) {
        return Verdict::ContentUnstated;
    }
    if seen.kind != wanted {
        all.push(differs(Aspect::Kind, name(wanted), name(seen.kind)));
        return Verdict::Differs(all);
    }
    all.extend(entry.mode.and_then(|rule| mode_differs(rule, seen.mode)));
    if let Some(owner) = entry.owner.filter(|owner| *owner != seen.owner) {
        all.push(differs(Aspect::Owner, &owner, &seen.owner));
    }
    // Nothing that is written with a content known beforehand is given any.
    if entry.expected.is_some() && entry.class == Class::Exact && !seen.capabilities.is_empty() {
        let found = capabilities(&seen.capabilities);
        all.push(differs(Aspect::Capabilities, "none", &found));
    }
    let content = content(entry, seen);
    match content {
        Verdict::Differs(more) => all.extend(more),
        other if all.is_empty() => return other,
        _ => {}
    }
    Verdict::Differs(all)
}

fn content(entry: &Protected, seen: &Seen) -> Verdict {
    let Some(expected) = &entry.expected else {
        return match (entry.class, &seen.content) {
            (Class::Exact, Content::Unreadable(why)) => Verdict::Unknown(why.clone()),
            (Class::Exact, _) => Verdict::ContentUnstated,
            (Class::Packaged, _) => Verdict::Unknown("its package has no digest of it".to_owned()),
            _ => Verdict::Same,
        };
    };
    if let Some(size) = expected.size.filter(|size| *size != seen.size) {
        let bytes = |count| format!("{count} bytes");
        return Verdict::Differs(vec![differs(Aspect::Content, &bytes(size), &bytes(seen.size))]);
    }
    match &seen.content {
        Content::Digest(hash) if *hash == expected.hash => Verdict::Same,
        Content::Digest(hash) => {
            let found = differs(Aspect::Content, &expected.hash.text(), &hash.text());
            Verdict::Differs(vec![found])
        }
        Content::Unread => Verdict::Unknown("its content was not read".to_owned()),
        Content::Unreadable(why) => Verdict::Unknown(why.clone()),
    }
}

/// Writes capabilities of a file as they are kept, digit by digit.
pub(crate) fn capabilities(kept: &[u8]) -> String {
    kept.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mode_differs(rule: ModeRule, found: FileMode) -> Option<Difference> {
    match rule {
        ModeRule::Is(mode) => (mode != found).then(|| differs(Aspect::Mode, &mode, &found)),
        ModeRule::AtMost(most) => (found.0 & !most.0 != 0)
            .then(|| differs(Aspect::Mode, &format!("{most} or less"), &found)),
    }
}

pub(crate) fn differs<E: ToString + ?Sized, F: ToString + ?Sized>(
    of: Aspect,
    expected: &E,
    found: &F,
) -> Difference {
    Difference { of, expected: expected.to_string(), found: found.to_string() }
}

/// What whoever keeps it may make a link: what answers for names does so with its own file, and some distributions have
/// one directory for all of what older ones started machines with.
const MAY_BE_LINKS: &[&[u8]] = &[b"/etc/resolv.conf", b"/etc/init.d", b"/etc/rc.local"];

/// Files that others write whenever they like, though what lies around them is protected.
const KEPT_FILES: &[&[u8]] = &[b"/boot/grub/grubenv"];

/// What something of a class is.
pub(crate) fn kind_of(class: Class) -> Kind {
    match class {
        Class::Exact | Class::Growing | Class::Packaged | Class::Layer => Kind::File,
        Class::Listed | Class::Watched | Class::Swapped | Class::Kept => Kind::Directory,
    }
}

/// Names a kind.
pub(crate) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Link => "symbolic link",
        Kind::Fifo => "named pipe",
        Kind::Socket => "socket",
        Kind::Device => "device",
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::severity::Severity;

    use super::*;
    use crate::protected::Expected;

    fn hash(text: &str) -> Hash {
        Hash::Blake3(*blake3::hash(text.as_bytes()).as_bytes())
    }

    fn entry() -> Protected {
        Protected {
            path: "/a".parse().unwrap(),
            class: Class::Exact,
            presence: Presence::Required,
            severity: Severity::High,
            mode: Some(ModeRule::Is(FileMode(0o600))),
            owner: Some(Owner::ROOT),
            expected: Some(Expected { size: Some(2), hash: hash("ok") }),
        }
    }

    fn seen() -> Seen {
        let content = Content::Digest(hash("ok"));
        let (mode, owner, capabilities) = (FileMode(0o600), Owner::ROOT, Vec::new());
        Seen { kind: Kind::File, mode, owner, size: 2, content, number: 7, capabilities }
    }

    fn check(entry: &Protected, look: &Look, expected: &str) {
        let said = match judge(entry, look) {
            Verdict::Same => "same".to_owned(),
            Verdict::ContentUnstated => "unstated".to_owned(),
            Verdict::Unknown(why) => format!("unknown: {why}"),
            Verdict::Differs(all) => {
                let all: Vec<String> = all.iter().map(|it| it.of.to_string()).collect();
                all.join(" ")
            }
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn each_way_to_differ_is_said() {
        let there = |change: fn(&mut Seen)| {
            let mut seen = seen();
            change(&mut seen);
            Look::There(seen)
        };
        check(&entry(), &there(|_| ()), "same");
        check(&entry(), &Look::Missing, "presence");
        check(&entry(), &there(|it| it.kind = Kind::Link), "kind");
        check(&entry(), &there(|it| it.mode = FileMode(0o4600)), "mode");
        check(&entry(), &there(|it| it.owner = Owner::ETCD), "owner");
        check(&entry(), &there(|it| it.content = Content::Digest(hash("no"))), "content");
        check(&entry(), &there(|it| it.size = 3), "content");
        let both = there(|it| (it.mode, it.size) = (FileMode(0o777), 0));
        check(&entry(), &both, "mode content");
        let able = there(|it| it.capabilities = vec![1]);
        check(&entry(), &able, "capabilities");
        check(&Protected { expected: None, ..entry() }, &able, "unstated");
    }

    #[test]
    fn what_was_not_seen_is_never_as_it_should_be() {
        check(&entry(), &Look::Unreadable("EACCES".into()), "unknown: EACCES");
        check(&entry(), &Look::Astray("ENOTDIR".into()), "unknown: ENOTDIR");
        let unread = Look::There(Seen { content: Content::Unread, ..seen() });
        check(&entry(), &unread, "unknown: its content was not read");
        let torn = Content::Unreadable("EIO".into());
        check(&entry(), &Look::There(Seen { content: torn.clone(), ..seen() }), "unknown: EIO");
        let worse = Seen { content: torn, mode: FileMode(0o666), ..seen() };
        check(&entry(), &Look::There(worse), "mode");
        let unstated = Protected { expected: None, ..entry() };
        check(&unstated, &unread, "unstated");
        let torn = Look::There(Seen { content: Content::Unreadable("EIO".into()), ..seen() });
        check(&unstated, &torn, "unknown: EIO");
        let forbidden = Protected { presence: Presence::Forbidden, ..entry() };
        check(&forbidden, &torn, "presence");
    }

    #[test]
    fn what_a_loader_writes_at_each_start_is_a_file_all_the_same() {
        let kept = Protected { class: Class::Kept, expected: None, ..entry() };
        let it = Protected { path: "/boot/grub/grubenv".parse().unwrap(), ..kept.clone() };
        check(&it, &Look::There(seen()), "same");
        let link = Seen { kind: Kind::Link, ..seen() };
        check(&it, &Look::There(link), "kind");
        check(&kept, &Look::There(seen()), "kind");
    }

    #[test]
    fn modes_may_be_stricter_and_files_may_be_forbidden() {
        let loose = Protected { mode: Some(ModeRule::AtMost(FileMode(0o640))), ..entry() };
        check(&loose, &Look::There(seen()), "same");
        check(&loose, &Look::There(Seen { mode: FileMode(0o604), ..seen() }), "mode");
        let forbidden = Protected { presence: Presence::Forbidden, ..entry() };
        check(&forbidden, &Look::Missing, "same");
        check(&forbidden, &Look::There(seen()), "presence");
        check(&Protected { presence: Presence::Optional, ..entry() }, &Look::Missing, "same");
    }
}
