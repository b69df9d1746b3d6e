//! How something on a machine was when it was looked at, and in what it differs later. Pure.

use ringfort_model::mode::{FileMode, Owner};
use serde::{Deserialize, Serialize};

use crate::judge::{Aspect, Content, Difference, Kind, Seen, capabilities};

/// How something was: metadata and digests, never what it holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct State {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: FileMode,
    /// Whose it is.
    pub owner: Owner,
    /// Its size; of directories it says nothing.
    pub size: u64,
    /// The digest of what a file holds or where a link leads, as far as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The number of a log that grows on its file system: another log in its place has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The capabilities that a file gives to whoever runs it; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
}

impl State {
    /// Takes what of a look is kept.
    pub fn of(seen: &Seen) -> Self {
        let digest = match &seen.content {
            Content::Digest(hash) => Some(hash.text()),
            Content::Unread | Content::Unreadable(_) => None,
        };
        let size = if seen.kind == Kind::File { seen.size } else { 0 };
        let has_any = !seen.capabilities.is_empty();
        let capabilities = has_any.then(|| capabilities(&seen.capabilities));
        let (kind, mode, owner) = (seen.kind, seen.mode, seen.owner);
        Self { kind, mode, owner, size, digest, number: None, capabilities }
    }

    /// Takes what is kept of a log that grows: which file it is and how long, not what it holds.
    pub fn of_log(seen: &Seen) -> Self {
        Self { digest: None, number: Some(seen.number), ..Self::of(seen) }
    }
}

/// Says in what something differs from how it was; that nothing is there is a state too.
pub fn differences(before: Option<&State>, after: Option<&State>) -> Vec<Difference> {
    let is = |state: Option<&State>| if state.is_some() { "there" } else { "missing" };
    let (Some(before), Some(after)) = (before, after) else {
        let same = before.is_some() == after.is_some();
        let found = differs(Aspect::Presence, is(before), is(after));
        return if same { Vec::new() } else { vec![found] };
    };
    let mut all = Vec::new();
    let mut add = |of, expected: String, found: String| {
        if expected != found {
            all.push(differs(of, &expected, &found));
        }
    };
    let kind = |kind: Kind| format!("{kind:?}").to_lowercase();
    add(Aspect::Kind, kind(before.kind), kind(after.kind));
    add(Aspect::Mode, before.mode.to_string(), after.mode.to_string());
    add(Aspect::Owner, before.owner.to_string(), after.owner.to_string());
    let content = |state: &State| match &state.digest {
        Some(digest) => digest.clone(),
        None => format!("{} bytes", state.size),
    };
    // A digest is of one kind; where one of both was not read, sizes alone say something.
    if before.digest.is_some() == after.digest.is_some() {
        add(Aspect::Content, content(before), content(after));
    } else if before.size != after.size {
        let bytes = |state: &State| format!("{} bytes", state.size);
        add(Aspect::Content, bytes(before), bytes(after));
    }
    let able = |state: &State| state.capabilities.clone().unwrap_or_else(|| "none".to_owned());
    add(Aspect::Capabilities, able(before), able(after));
    all
}

/// Says in what a log differs from how it was. That it is longer is no difference; that it is shorter, or another
/// file, is.
pub fn differences_of_log(before: Option<&State>, after: Option<&State>) -> Vec<Difference> {
    let (Some(before), Some(after)) = (before, after) else { return differences(before, after) };
    let as_long = State { size: before.size, ..after.clone() };
    let mut all = differences(Some(before), Some(&as_long));
    match (before.number, after.number) {
        (Some(one), Some(other)) if one != other => {
            all.push(differs(Aspect::Content, "the file that was there", "another file"));
        }
        _ if after.size < before.size => {
            let (least, found) = (before.size, after.size);
            let (least, found) = (format!("{least} bytes or more"), format!("{found} bytes"));
            all.push(differs(Aspect::Content, &least, &found));
        }
        _ => {}
    }
    all
}

fn differs(of: Aspect, expected: &str, found: &str) -> Difference {
    Difference { of, expected: expected.to_owned(), found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            kind: Kind::File,
            mode: FileMode(0o600),
            owner: Owner::ROOT,
            size: 2,
            digest: Some("blake3:aa".to_owned()),
            number: None,
            capabilities: None,
        }
    }

    #[test]
    fn a_log_may_be_longer_and_neither_shorter_nor_another_file() {
        let log = |number, size| State { digest: None, number: Some(number), size, ..state() };
        let check = |before: State, after: State, expected: &[Aspect]| {
            let found = differences_of_log(Some(&before), Some(&after));
            assert_eq!(found.iter().map(|it| it.of).collect::<Vec<_>>(), expected, "{found:?}");
        };
        check(log(1, 5), log(1, 5), &[]);
        check(log(1, 5), log(1, 9), &[]);
        check(log(1, 5), log(1, 4), &[Aspect::Content]);
        check(log(1, 5), log(2, 9), &[Aspect::Content]);
        let open = State { mode: FileMode(0o666), ..log(1, 9) };
        check(log(1, 5), open, &[Aspect::Mode]);
        // How long it was is not known of a log that was seen by an older agent.
        check(State { size: 0, number: None, ..log(1, 0) }, log(2, 9), &[]);
        let gone = differences_of_log(Some(&log(1, 5)), None);
        assert_eq!(gone[0].of, Aspect::Presence);
    }

    #[test]
    fn each_way_to_have_changed_is_said() {
        let check = |before: Option<State>, after: Option<State>, expected: &[Aspect]| {
            let found = differences(before.as_ref(), after.as_ref());
            assert_eq!(found.iter().map(|it| it.of).collect::<Vec<_>>(), expected);
        };
        check(Some(state()), Some(state()), &[]);
        check(None, None, &[]);
        check(None, Some(state()), &[Aspect::Presence]);
        check(Some(state()), None, &[Aspect::Presence]);
        let open = State { mode: FileMode(0o666), owner: Owner::ETCD, ..state() };
        check(Some(state()), Some(open), &[Aspect::Mode, Aspect::Owner]);
        let other = State { digest: Some("blake3:bb".to_owned()), ..state() };
        check(Some(state()), Some(other), &[Aspect::Content]);
        let unread = State { digest: None, ..state() };
        check(Some(state()), Some(unread.clone()), &[]);
        check(Some(state()), Some(State { size: 3, ..unread }), &[Aspect::Content]);
        let able = State { capabilities: Some("01".to_owned()), ..state() };
        check(Some(state()), Some(able), &[Aspect::Capabilities]);
        let link = State { kind: Kind::Link, ..state() };
        check(Some(state()), Some(link), &[Aspect::Kind]);
    }
}
