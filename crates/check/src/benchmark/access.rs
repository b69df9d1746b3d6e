//! Who may do something with a file: its mode, its grants, and the directories that lead to it.

use ringfort_facts::component::Component;
use ringfort_facts::fact::Seen;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Judgement};
use ringfort_model::machine::{AclEntry, AclTag, FileFacts, Observed};
use ringfort_model::mode::FileMode;

use super::say::{decide, fail, pass, spared};

/// Asks that a file gives at most these bits. More is no harm where nobody else gets to the file.
pub(super) fn at_most(machine: &Machine<'_>, path: &str, most: u32) -> Judgement {
    let Some(seen) = machine.file(path)? else { return spared(format!("{path} is not there")) };
    let bits = seen.value.mode.0 & 0o777;
    let fix = format!("chmod {most:o} {path}");
    let said = format!("{path} has the mode {}", FileMode(bits));
    if bits & !most & 0o700 != 0 {
        return Ok(fail(said, &fix));
    }
    let named = grants(&seen.value, most)?;
    if bits & !most == 0 && named.is_none() {
        return decide(&seen, true, &said, &fix);
    }
    // A file on its own: only where every way to it is closed, its mode is nobody's way in.
    let gid = if bits & !most & 0o007 == 0 && named.is_none() {
        Some(seen.value.owner.gid)
    } else {
        None
    };
    match closed_by(machine, path, gid)? {
        Some(directory) => pass(&seen, format!("{said}, and {directory} is closed to others")),
        None => Ok(fail(named.map_or(said, |who| format!("{path} is open to {who}")), &fix)),
    }
}

/// Says to whom an access control list gives more than the bits for others would.
fn grants(file: &FileFacts, most: u32) -> Result<Option<String>, Gap> {
    let entries = match &file.acl {
        Observed::Absent => return Ok(None),
        Observed::Known(entries) => entries,
        Observed::Gap(unseen) => {
            let said = format!("{} could not be read: {}", unseen.at, unseen.why);
            return Err(Gap { said, closes: unseen.closes.clone() });
        }
    };
    let is_more = |entry: &&AclEntry| {
        matches!(entry.tag, AclTag::User | AclTag::Group)
            && u32::from(entry.permissions & mask(entries)) & !(most & 0o007) != 0
    };
    Ok(entries.iter().find(is_more).map(|entry| {
        let whose = if entry.tag == AclTag::User { "the user" } else { "the group" };
        format!("{whose} {} by an access control list", entry.id.unwrap_or_default())
    }))
}

/// The most that named users and groups get.
fn mask(entries: &[AclEntry]) -> u16 {
    let mask = entries.iter().find(|entry| entry.tag == AclTag::Mask);
    mask.map_or(0o7, |entry| entry.permissions)
}

/// Finds a directory above a path that lets nobody through but root: nobody of this group, or nobody at all.
fn closed_by(machine: &Machine<'_>, path: &str, gid: Option<u32>) -> Result<Option<String>, Gap> {
    let mut missing = None;
    for directory in parents(path) {
        match machine.file(directory) {
            Ok(Some(seen)) if is_closed(&seen.value, gid) => return Ok(Some(directory.to_owned())),
            Ok(Some(_)) => {}
            Ok(None) => missing = Some(vanished(directory)),
            Err(gap) => missing = Some(gap),
        }
    }
    missing.map_or(Ok(None), Err)
}

fn is_closed(directory: &FileFacts, gid: Option<u32>) -> bool {
    let (mode, owner) = (directory.mode.0, directory.owner);
    let others = mode & 0o001 != 0;
    let group = mode & 0o010 != 0 && (owner.gid != 0 || gid == Some(owner.gid));
    directory.acl == Observed::Absent && owner.uid == 0 && !others && !group
}

/// Names the directories above a path, from the root down.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.char_indices().filter(|(_, letter)| *letter == '/');
    slashes.map(|(at, _)| if at == 0 { "/" } else { &path[..at] })
}

/// Asks that a file is root's, and that nobody else can put another in its place.
pub(super) fn of_root(machine: &Machine<'_>, path: &str) -> Judgement {
    let Some(seen) = machine.file(path)? else { return spared(format!("{path} is not there")) };
    let owner = seen.value.owner;
    let said = format!("{path} is owned by {owner}");
    match owner.uid != 0 || owner.gid != 0 {
        true => decide(&seen, false, &said, &format!("chown root:root {path}")),
        false => irreplaceable(machine, path, &seen, &said),
    }
}

/// Asks that a file is root's, or else that of the one who reads it: a component that runs as a user of its
/// own, to whom a file of root's alone would be shut.
pub(super) fn of_its_reader(machine: &Machine<'_>, component: Component, path: &str) -> Judgement {
    let Some(seen) = machine.file(path)? else { return spared(format!("{path} is not there")) };
    let uid = seen.value.owner.uid;
    let users = machine.users(component)?;
    let is_its = uid != 0 && !users.is_empty() && users.iter().all(|user| *user == uid);
    let others = grants(&seen.value, 0o755)?.is_some() || seen.value.mode.0 & 0o022 != 0;
    if !is_its || others {
        return of_root(machine, path);
    }
    let said = format!(
        "{path} is owned by the user {uid}, as whom {component} alone runs here and who is not root"
    );
    irreplaceable(machine, path, &seen, &said)
}

/// Asks that nobody but root can put another file in this one's place.
fn irreplaceable(
    machine: &Machine<'_>,
    path: &str,
    seen: &Seen<FileFacts>,
    said: &str,
) -> Judgement {
    let mut missing = None;
    for directory in parents(path) {
        match machine.file(directory) {
            Ok(Some(above)) => match replaces(&above) {
                Ok(Some(who)) => {
                    let said = format!("{said}, but {who} may put another file in its place");
                    return Ok(fail(said, &format!("close {directory} to others for writing")));
                }
                Ok(None) => {}
                Err(gap) => missing = Some(gap),
            },
            Ok(None) => missing = Some(vanished(directory)),
            Err(gap) => missing = Some(gap),
        }
    }
    match missing {
        None => decide(seen, true, said, ""),
        Some(gap) => Err(gap),
    }
}

/// Says who else than root may exchange what a directory holds.
fn replaces(directory: &Seen<FileFacts>) -> Result<Option<String>, Gap> {
    let (mode, owner) = (directory.value.mode.0, directory.value.owner);
    let at = &directory.source;
    if owner.uid != 0 {
        return Ok(Some(format!("the user {}, to whom {at} belongs,", owner.uid)));
    }
    let is_sticky = mode & 0o1000 != 0;
    if is_sticky {
        return Ok(None);
    }
    if mode & 0o002 != 0 {
        return Ok(Some(format!("everybody who reaches {at}")));
    }
    if mode & 0o020 != 0 && owner.gid != 0 {
        return Ok(Some(format!("the group {}, by {at},", owner.gid)));
    }
    // Of what is granted by name, only writing matters here.
    Ok(grants(&directory.value, 0o005)?.map(|who| format!("{who}, by {at},")))
}

/// Says that a directory is not there though something in it is.
fn vanished(directory: &str) -> Gap {
    Gap {
        said: format!("{directory} was not there when it was looked at"),
        closes: "facts that are taken while nothing changes".to_owned(),
    }
}
