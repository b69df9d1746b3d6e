//! What a detection is asked about: an event, and what became of the object that it is about.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use crate::event::Event;
use crate::fault::Why;
use crate::feeds::Feeds;
use crate::node::Node;
use crate::patch;
use crate::pod::{self, Pod};

/// What a judgement of an object rests on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Basis {
    /// The object as the server stored it.
    #[default]
    Stored,
    /// The object as it was sent: admission may have changed it.
    Sent,
    /// The object as it was known, with a patch laid over it.
    Patched,
    /// A patch alone.
    Patch,
}

/// An event, and what became of its object.
pub(crate) struct Scene<'e> {
    pub(crate) event: &'e Event<'e>,
    pub(crate) feeds: &'e Feeds,
    texts: [Option<(&'e str, Basis)>; 2],
    before: Option<Arc<str>>,
    object: OnceCell<Option<(Node<'e>, &'e str, Basis)>>,
    sent: OnceCell<Option<Node<'e>>>,
    user: OnceCell<u64>,
    address: OnceCell<Option<IpAddr>>,
    /// Whether the object was asked for.
    pub(crate) asked: Cell<bool>,
    fault: RefCell<Option<Why>>,
}

impl<'e> Scene<'e> {
    /// Begins with the texts that the resulting object may be read from, the best first, and with the object as it
    /// was before.
    pub(crate) fn new(
        event: &'e Event<'e>,
        feeds: &'e Feeds,
        texts: [Option<(&'e str, Basis)>; 2],
        before: Option<Arc<str>>,
    ) -> Self {
        Self {
            event,
            feeds,
            texts,
            before,
            object: OnceCell::new(),
            sent: OnceCell::new(),
            user: OnceCell::new(),
            address: OnceCell::new(),
            asked: Cell::new(false),
            fault: RefCell::new(None),
        }
    }

    /// Gives the object as it is after the request, as far as it was written down.
    pub(crate) fn object(&self) -> Option<&Node<'e>> {
        self.asked.set(true);
        self.read_object().as_ref().map(|(node, ..)| node)
    }

    /// Gives the text of the whole object, if it was read, and what it rests on.
    pub(crate) fn stored(&self) -> Option<(&'e str, Basis)> {
        let (_, text, basis) = self.object.get()?.as_ref()?;
        basis.is_whole().then_some((*text, *basis))
    }

    /// Reads the object as it was before the request, where it is known.
    pub(crate) fn before<T>(&self, read: impl FnOnce(&Node<'_>) -> T) -> Option<T> {
        let node = serde_json::from_str(self.before.as_deref()?).ok()?;
        Some(read(&node))
    }

    /// Reads what a patch brings by itself. Nothing, where it is a whole configuration: that says what should be, and
    /// not what is new.
    pub(crate) fn brought<T>(&self, read: impl FnOnce(&Node<'_>) -> T) -> Option<T> {
        let sent = self.event.request_object.filter(|_| &*self.event.verb == "patch")?;
        // One that is laid over nothing is of the kind that it names.
        let sent =
            serde_json::from_str(sent.get()).ok().filter(|it: &Value| it["kind"].is_null())?;
        let brought = patch::apply(None, &sent).ok().filter(|it| it["kind"].is_null())?.to_string();
        let node = serde_json::from_str(&brought).ok()?;
        Some(read(&node))
    }

    fn read_object(&self) -> &Option<(Node<'e>, &'e str, Basis)> {
        self.object.get_or_init(|| {
            let mut texts = self.texts.iter().flatten();
            texts.find_map(|(text, basis)| {
                let node = self.read(text)?;
                // Who asks chooses the form of the answer, and some forms hold no object.
                let is_object = !FORMS.contains(&node.at("kind").text());
                is_object.then_some((node, *text, *basis))
            })
        })
    }

    /// Gives what was sent, of a request that stores nothing.
    pub(crate) fn sent(&self) -> Option<&Node<'e>> {
        self.sent.get_or_init(|| self.read(self.event.request_object?.get())).as_ref()
    }

    /// Gives one number for who asks.
    pub(crate) fn user(&self) -> u64 {
        *self.user.get_or_init(|| number(&[&self.event.user.username]))
    }

    /// Gives one number for as whom it is judged.
    pub(crate) fn actor(&self) -> u64 {
        match &self.event.impersonated_user {
            None => self.user(),
            Some(other) => number(&[&other.username]),
        }
    }

    /// Gives who was connected, as an address.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        *self.address.get_or_init(|| self.event.address())
    }

    fn read(&self, text: &'e str) -> Option<Node<'e>> {
        match serde_json::from_str(text) {
            Ok(node) => Some(node),
            Err(error) => {
                *self.fault.borrow_mut() = Some(Why::of(&error, text.len()));
                None
            }
        }
    }

    /// Gives the pod, or the template of pods, in the object.
    pub(crate) fn pod(&self) -> Option<Pod<'_>> {
        pod::pod(self.event.resource(), self.object()?)
    }

    /// Whether anything that was asked for could not be read.
    pub(crate) fn fault(&self) -> Option<Why> {
        self.fault.borrow().clone()
    }

    /// Says what a finding rests on, where that is not the stored object.
    pub(crate) fn rests(&self) -> Option<&'static str> {
        let (_, _, basis) = self.object.get().filter(|_| self.asked.get())?.as_ref()?;
        match basis {
            Basis::Stored => None,
            Basis::Sent => Some("judged as it was sent"),
            Basis::Patched => Some("judged by its patch of what was there before"),
            Basis::Patch => Some("judged by its patch alone, since the object is not known"),
        }
    }
}

/// Answers that are no objects.
pub(crate) const FORMS: [&str; 4] =
    ["Status", "PartialObjectMetadata", "PartialObjectMetadataList", "Table"];

/// Makes one number of texts, to tell them apart in little room.
pub(crate) fn number(texts: &[&str]) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}
