//! Compares what an item should be with what was found, and says which act makes it so.
//!
//! What could not be looked at is neither right nor wrong here; that is [`NotSeen`].

use std::collections::BTreeMap;

use ringfort_model::certificate::{Authority, CertRequest, CertSeen};
use ringfort_model::content::Content;
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
        (What::Unit { inputs }, ItemSeen::Unit { enabled, active, inputs: found }) => {
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

fn permissions(
    wanted: (&FileMode, &Owner),
    found: (&FileMode, &Owner),
) -> Option<Difference> {
    (wanted != found).then_some(Difference::Permissions)
}

fn unit_difference(inputs: &Digest, runs: bool, found: Option<&Digest>) -> Option<Difference> {
    match found {
        _ if !runs => Some(Difference::Stopped),
        Some(found) if found == inputs => None,
        _ => Some(Difference::Stale),
    }
}

fn serving_difference(inputs: &Digest, healthy: bool, found: Option<&Digest>) -> Option<Difference> {
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
        (Content::PrivateKey, ContentSeen::Key { .. }) => true,
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
        What::File { content: Content::Issued(_), .. } => Look::Certificate,
        What::File { content: Content::Secret { .. }, .. } => Look::EncryptionKeys,
        What::Serving { probe, process, .. } => {
            Look::Serving { probe: probe.clone(), process: process.clone() }
        }
        _ => Look::Plain,
    }
}

/// How long a component is waited for, in seconds.
pub const PATIENCE_S: u32 = 180;

/// Says which act makes an item what it should be.
pub fn act_for(item: &Item) -> Act {
    match &item.what {
        What::User { owner } => Act::AddUser { owner: *owner },
        What::Sysctl { value } => Act::SetSysctl { value: value.clone() },
        What::Directory { mode, owner } => Act::MakeDirectory { mode: *mode, owner: *owner },
        What::File { mode, owner, content, .. } => file_act(*mode, *owner, content),
        What::Image { archive, .. } => Act::ImportImage { archive: archive.clone() },
        What::Unit { inputs } => Act::RunUnit { inputs: inputs.clone() },
        What::Serving { probe, inputs, process } => Act::Await {
            probe: probe.clone(),
            process: process.clone(),
            inputs: inputs.clone(),
            seconds: PATIENCE_S,
        },
    }
}

fn file_act(mode: FileMode, owner: Owner, content: &Content) -> Act {
    let write = |source| Act::WriteFile { mode, owner, source };
    match content {
        Content::Text(text) => write(Source::Text(text.clone())),
        Content::Bundled { digest, .. } => write(Source::Stored(digest.clone())),
        Content::Secret { name, digest, .. } => {
            write(Source::Secret { name: *name, digest: digest.clone() })
        }
        Content::Issued(request) => Act::RequestCertificate { request: request.clone() },
        Content::PrivateKey => Act::MakeKey { mode, owner },
    }
}
