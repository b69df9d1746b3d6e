//! Compares what an item should be with what was found, and says which act makes it so.
//!
//! What could not be looked at is neither right nor wrong here; that is [`NotSeen`].

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::certificate::{Authority, CertRequest, CertSeen};
use ringfort_model::content::{Content, SecretName};
use ringfort_model::digest::Digest;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::seen::{ContentSeen, ItemSeen, Look};
use ringfort_model::step::{Act, Difference, Source};

use crate::mission::AuthoritySeen;

/// What an item is compared against beside its own state.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The time, in seconds since 1970.
    pub now_s: i64,
    /// The authorities of the keyring.
    pub authorities: &'a BTreeMap<Authority, AuthoritySeen>,
    /// All items of the same machine as they were found: a certificate must fit its key.
    pub items: &'a BTreeMap<ItemId, ItemSeen>,
}

/// Says that an item could not be looked at.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("could not be looked at: {why}")]
pub struct NotSeen {
    /// Why.
    pub why: String,
}

/// Says what differs between what an item should be and what was found; `None` if nothing does.
///
/// # Errors
/// The item could not be looked at, so that nobody knows.
pub fn difference(
    desired: &Item,
    seen: &ItemSeen,
    view: &View<'_>,
) -> Result<Option<Difference>, NotSeen> {
    if let ItemSeen::Unreadable(why) = seen {
        return Err(NotSeen { why: why.clone() });
    }
    Ok(match (&desired.what, seen) {
        (What::Serving { .. }, ItemSeen::Absent) => Some(Difference::Silent),
        (_, ItemSeen::Absent) => Some(Difference::Missing),
        (What::User { owner }, ItemSeen::User { owner: found }) => {
            (owner != found).then_some(Difference::Content)
        }
        (What::Sysctl { value }, ItemSeen::Sysctl { value: found }) => {
            (!is_same_setting(value, found)).then_some(Difference::Content)
        }
        (What::Directory { mode, owner }, ItemSeen::Directory { mode: m, owner: o }) => {
            permissions((mode, owner), (m, o))
        }
        (
            What::File { mode, owner, content, .. },
            ItemSeen::File { mode: m, owner: o, content: found },
        ) => content_difference(content, found, view).or(permissions((mode, owner), (m, o))),
        (What::Image { manifest, .. }, ItemSeen::Image { manifest: found }) => {
            (manifest != found).then_some(Difference::Content)
        }
        (What::Unit { inputs, .. }, ItemSeen::Unit { enabled, active, inputs: found }) => {
            unit_difference(inputs, *enabled && *active, found.as_ref())
        }
        (What::Serving { inputs, .. }, ItemSeen::Serving { healthy, inputs: found }) => {
            serving_difference(inputs, *healthy, found.as_ref())
        }
        _ => Some(Difference::Kind),
    })
}

/// The kernel prints lists with tabs where people write blanks.
fn is_same_setting(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

fn permissions(wanted: (&FileMode, &Owner), found: (&FileMode, &Owner)) -> Option<Difference> {
    (wanted != found).then_some(Difference::Permissions)
}

fn unit_difference(inputs: &Digest, runs: bool, found: Option<&Digest>) -> Option<Difference> {
    match found {
        _ if !runs => Some(Difference::Stopped),
        Some(found) if found == inputs => None,
        _ => Some(Difference::Stale),
    }
}

fn serving_difference(
    inputs: &Digest,
    healthy: bool,
    found: Option<&Digest>,
) -> Option<Difference> {
    match found {
        _ if !healthy => Some(Difference::Silent),
        Some(found) if found == inputs => None,
        _ => Some(Difference::Stale),
    }
}

fn content_difference(
    wanted: &Content,
    found: &ContentSeen,
    view: &View<'_>,
) -> Option<Difference> {
    let is_right = match (wanted, found) {
        (Content::Text(text), ContentSeen::Bytes(found)) => Digest::of(text.as_bytes()) == *found,
        (Content::Bundled { digest, .. }, ContentSeen::Bytes(found)) => digest == found,
        (
            Content::Secret { digest, .. },
            ContentSeen::Bytes(found) | ContentSeen::EncryptionKeys { digest: found, .. },
        ) => digest == found,
        (Content::Issued(request), ContentSeen::Certificate(found)) => {
            return certificate_difference(request, found, view);
        }
        (Content::PrivateKey, ContentSeen::Key { .. })
        | (Content::TunnelKey, ContentSeen::TunnelKey(_)) => true,
        _ => false,
    };
    (!is_right).then_some(Difference::Content)
}

fn certificate_difference(
    request: &CertRequest,
    found: &CertSeen,
    view: &View<'_>,
) -> Option<Difference> {
    let says_the_same = request.subject == found.subject
        && request.usages == found.usages
        && request.names == found.names;
    let is_ours = view
        .authorities
        .get(&request.authority)
        .is_none_or(|authority| authority.key_id == found.authority_key_id);
    if !says_the_same || !is_ours || !fits_key(request, found, view) {
        return Some(Difference::Content);
    }
    is_aged(found, view.now_s).then_some(Difference::Aged)
}

fn fits_key(request: &CertRequest, found: &CertSeen, view: &View<'_>) -> bool {
    let key = view.items.get(&ItemId::file(&request.key));
    matches!(
        key,
        Some(ItemSeen::File { content: ContentSeen::Key { id, .. }, .. }) if *id == found.public_key
    )
}

/// A certificate is renewed when a third of its life is spent.
fn is_aged(found: &CertSeen, now_s: i64) -> bool {
    let life = found.not_after.saturating_sub(found.not_before);
    now_s >= found.not_before.saturating_add(life / 3)
}

/// Says how closely an item has to be looked at.
pub fn look_at(item: &Item) -> Look {
    match &item.what {
        What::File { content: Content::PrivateKey, .. } => Look::Key,
        What::File { content: Content::TunnelKey, .. } => Look::TunnelKey,
        What::File { content: Content::Issued(_), .. } => Look::Certificate,
        What::File {
            content: Content::Secret { name: SecretName::EncryptionConfiguration, .. },
            ..
        } => Look::EncryptionKeys,
        What::Serving { probe, process, .. } => {
            Look::Serving { probe: probe.clone(), process: process.clone() }
        }
        _ => Look::Plain,
    }
}

/// How long a component is waited for, in seconds: longer than the 240 s that a startup probe gives one
/// that does not listen yet.
pub const PATIENCE_S: u32 = 300;

/// Says which act makes an item what it should be.
pub fn act_for(item: &Item) -> Act {
    match &item.what {
        What::User { owner } => Act::AddUser { owner: *owner },
        What::Sysctl { value } => Act::SetSysctl { value: value.clone() },
        What::Directory { mode, owner } => Act::MakeDirectory { mode: *mode, owner: *owner },
        What::File { mode, owner, content, .. } => file_act(*mode, *owner, content),
        What::Image { archive, .. } => Act::ImportImage { archive: archive.clone() },
        What::Unit { inputs, .. } => Act::RunUnit { inputs: inputs.clone(), anew: false },
        What::Serving { probe, inputs, process, .. } => Act::Await {
            probe: probe.clone(),
            process: process.clone(),
            inputs: inputs.clone(),
            seconds: PATIENCE_S,
        },
    }
}

fn file_act(mode: FileMode, owner: Owner, content: &Content) -> Act {
    let write = |source| Act::WriteFile { mode, owner, source, readers: BTreeSet::new() };
    match content {
        Content::Text(text) => write(Source::Text(text.clone())),
        Content::Bundled { digest, .. } => write(Source::Stored(digest.clone())),
        Content::Secret { name, digest, .. } => {
            write(Source::Secret { name: *name, digest: digest.clone() })
        }
        Content::Issued(request) => Act::RequestCertificate { request: request.clone() },
        Content::PrivateKey => Act::MakeKey { mode, owner },
        Content::TunnelKey => Act::MakeTunnelKey { mode, owner },
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::certificate::{Subject, Usage};

    use super::{
        Authority, AuthoritySeen, BTreeMap, BTreeSet, CertRequest, CertSeen, Content, ContentSeen,
        Difference, Digest, FileMode, Item, ItemId, ItemSeen, Owner, View, What, difference,
    };

    const DAY_S: i64 = 86_400;

    fn check(what: What, seen: &ItemSeen, expected: Result<Option<Difference>, &str>) {
        let item = Item { by: "test/control".to_owned(), needs: BTreeSet::new(), what };
        let authority = AuthoritySeen { key_id: "ours".to_owned(), not_after: i64::MAX };
        let key =
            file(0o600, ContentSeen::Key { id: Digest::of(b"key"), public_pem: String::new() });
        let view = View {
            now_s: 100 * DAY_S,
            authorities: &BTreeMap::from([(Authority::Cluster, authority)]),
            items: &BTreeMap::from([(ItemId::file("/k"), key)]),
        };
        let found = difference(&item, seen, &view).map_err(|gap| gap.why);
        assert_eq!(found, expected.map_err(str::to_owned), "{:?} {seen:?}", item.what);
    }

    fn file(mode: u32, content: ContentSeen) -> ItemSeen {
        ItemSeen::File { mode: FileMode(mode), owner: Owner::ROOT, content }
    }

    fn wanted(content: Content) -> What {
        What::File { mode: FileMode(0o600), owner: Owner::ROOT, content, rolling: None }
    }

    fn bytes(text: &str) -> ContentSeen {
        ContentSeen::Bytes(Digest::of(text.as_bytes()))
    }

    #[test]
    fn files_differ_by_content_before_permissions() {
        let text = || wanted(Content::Text("a".to_owned()));
        check(text(), &file(0o600, bytes("a")), Ok(None));
        check(text(), &file(0o644, bytes("a")), Ok(Some(Difference::Permissions)));
        check(text(), &file(0o644, bytes("b")), Ok(Some(Difference::Content)));
        check(text(), &ItemSeen::Absent, Ok(Some(Difference::Missing)));
        check(text(), &ItemSeen::Unreadable("disk".to_owned()), Err("disk"));
        let directory = ItemSeen::Directory { mode: FileMode(0o700), owner: Owner::ROOT };
        check(text(), &directory, Ok(Some(Difference::Kind)));
        check(
            wanted(Content::PrivateKey),
            &file(0o600, ContentSeen::Other("no key".to_owned())),
            Ok(Some(Difference::Content)),
        );
    }

    #[test]
    fn a_certificate_is_right_while_it_fits_and_is_young() {
        let request = CertRequest {
            authority: Authority::Cluster,
            subject: Subject::user("a"),
            usages: BTreeSet::from([Usage::ClientAuth]),
            names: BTreeSet::new(),
            key: "/k".to_owned(),
        };
        let good = || CertSeen {
            authority_key_id: "ours".to_owned(),
            subject: request.subject.clone(),
            usages: request.usages.clone(),
            names: BTreeSet::new(),
            public_key: Digest::of(b"key"),
            key_kind: String::new(),
            not_before: 0,
            not_after: 365 * DAY_S,
        };
        let judge = |change: fn(&mut CertSeen), expected: Option<Difference>| {
            let mut seen = good();
            change(&mut seen);
            let seen = file(0o600, ContentSeen::Certificate(seen));
            check(wanted(Content::Issued(request.clone())), &seen, Ok(expected));
        };
        judge(|_| (), None);
        judge(|c| c.not_after = 299 * DAY_S, Some(Difference::Aged));
        judge(|c| c.not_after = 50 * DAY_S, Some(Difference::Aged));
        judge(|c| c.authority_key_id = "theirs".to_owned(), Some(Difference::Content));
        judge(|c| c.subject = Subject::user("b"), Some(Difference::Content));
        judge(|c| c.usages.clear(), Some(Difference::Content));
        judge(|c| c.public_key = Digest::of(b"other key"), Some(Difference::Content));
    }

    #[test]
    fn what_runs_must_run_with_what_is_wanted() {
        let inputs = Digest::of(b"now");
        let unit = |enabled, active, inputs| ItemSeen::Unit { enabled, active, inputs };
        let wants = || What::Unit { inputs: Digest::of(b"now"), reads: BTreeSet::new() };
        check(wants(), &unit(true, true, Some(inputs.clone())), Ok(None));
        check(wants(), &unit(false, true, Some(inputs.clone())), Ok(Some(Difference::Stopped)));
        check(wants(), &unit(true, false, Some(inputs)), Ok(Some(Difference::Stopped)));
        check(wants(), &unit(true, true, None), Ok(Some(Difference::Stale)));
        let sysctl = |value: &str| ItemSeen::Sysctl { value: value.to_owned() };
        check(What::Sysctl { value: "4 4".to_owned() }, &sysctl("4\t4\n"), Ok(None));
        check(What::Sysctl { value: "4".to_owned() }, &sysctl("5"), Ok(Some(Difference::Content)));
    }
}
