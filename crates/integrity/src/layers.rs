//! What a container wrote into its own root that its image does not have so: programs, and files of the image
//! that are others or gone. Pure.
//!
//! A root is stacked of directories: the container's own, and below it those of its image. What it writes lies
//! in its own. Logs and other data that no image brought are its business; what can be run is not.

use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::containerd::{Container, LAYERS, Stack};
use crate::judge::{Difference, Kind};
use crate::path::FilePath;
use crate::state::{State, differences};

/// In which way a container's root is not as its image has it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Something that can be run, and that the image does not have.
    NewExecutable,
    /// A file of the image is another one.
    ImageFileReplaced,
    /// A file or directory of the image is gone.
    ImageFileRemoved,
    /// A device that the image does not have.
    NewDevice,
    /// So much is not as the image has it that the rest is not named.
    More,
}

impl What {
    /// Says it in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::NewExecutable => "an executable that its image does not have",
            Self::ImageFileReplaced => "a file of its image was replaced",
            Self::ImageFileRemoved => "a file of its image was removed",
            Self::NewDevice => "a device that its image does not have",
            Self::More => "more is not as its image has it, and is not named",
        }
    }
}

/// Something that a container changed in its own root.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Drift {
    /// In which way.
    pub what: What,
    /// Where, as the container has it.
    pub path: FilePath,
    /// Whose root it is.
    #[serde(flatten)]
    pub container: Container,
}

impl Drift {
    /// Gives a digest that the same drift has in every container of the same image: by the image's layers, the
    /// path, and what is there now. None where one of these is not known, or is no file.
    pub fn key(&self, after: Option<&State>) -> Option<String> {
        let layers = self.container.layers.as_ref()?;
        let (mode, content) = match (self.what, after) {
            (What::ImageFileRemoved, None) => (0, ""),
            (What::NewExecutable | What::ImageFileReplaced, Some(state))
                if state.kind == Kind::File =>
            {
                (state.mode.0, state.digest.as_deref()?)
            }
            _ => return None,
        };
        let (what, mode) = (format!("{:?}", self.what), format!("{mode:o}"));
        let mut hasher = blake3::Hasher::new();
        for part in [
            layers.as_bytes(),
            self.path.as_bytes(),
            what.as_bytes(),
            mode.as_bytes(),
            content.as_bytes(),
        ] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Some(hasher.finalize().to_hex()[..32].to_owned())
    }

    /// Says it on one line: what, where, and whose root it is.
    pub fn text(&self) -> String {
        format!("{}: {} of {}", self.what.text(), self.path, self.container.text())
    }
}

/// What was seen of something in one directory of a stack, beside its digest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Traits {
    /// What a file begins with.
    pub head: Vec<u8>,
    /// What whoever runs it may do besides, as the kernel keeps it.
    pub capabilities: Option<Vec<u8>>,
    /// Its mode and owner alone are here, and what it holds lies below.
    pub is_metadata: bool,
}

/// Something in one directory of a stack.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// How it is.
    pub state: State,
    /// What else was seen of it.
    pub traits: Traits,
}

/// What something in a container's own directory means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Meaning {
    /// In which way it is not as its image has it.
    pub what: What,
    /// What is at stake.
    pub severity: Severity,
    /// In what it differs.
    pub differences: Vec<Difference>,
}

/// Gives the directory of a layer by its number.
pub fn directory(number: u64) -> FilePath {
    let text = format!("{LAYERS}/{number}/fs");
    text.parse().expect("it is made of a path and a number")
}

/// Gives a path as the container has it; nothing, where it does not lie in the container's own directory.
pub fn inside(stack: &Stack, path: &FilePath) -> Option<FilePath> {
    let rest = path.as_bytes().strip_prefix(directory(stack.own).as_bytes())?;
    if rest.is_empty() { Some(FilePath::root()) } else { FilePath::new(rest).ok() }
}

/// Says what it means that something is there, over what the image has at its path.
pub fn judge(path: &FilePath, own: &Piece, image: Option<&Piece>) -> Option<Meaning> {
    let Some(image) = image else { return made(path, own) };
    let is_same = own.traits.is_metadata
        || (own.state.kind == image.state.kind
            && own.state.digest == image.state.digest
            && (own.state.kind != Kind::File || own.state.size == image.state.size));
    let (gains_set, gains) = gains(own, image);
    // Owners alone are changed by many images when they begin, and modes that are less.
    let is_drift = if own.state.kind == Kind::Directory && image.state.kind == Kind::Directory {
        false
    } else {
        !is_same || gains
    };
    is_drift.then(|| {
        let severity = if gains_set {
            Severity::Critical
        } else if may_run(path, own) || may_run(path, image) {
            Severity::High
        } else if is_setting(path) {
            Severity::Medium
        } else {
            Severity::Low
        };
        Meaning {
            what: What::ImageFileReplaced,
            severity,
            differences: differs(Some(image), Some(own)),
        }
    })
}

/// Says what it means that something of the image is gone.
pub fn removed(path: &FilePath, image: &Piece) -> Meaning {
    let severity =
        if may_run(path, image) || is_setting(path) { Severity::Medium } else { Severity::Low };
    Meaning { what: What::ImageFileRemoved, severity, differences: differs(Some(image), None) }
}

/// Something that the image does not have.
fn made(path: &FilePath, own: &Piece) -> Option<Meaning> {
    let (what, severity) = match own.state.kind {
        Kind::Device => (What::NewDevice, Severity::Critical),
        Kind::File if !may_run(path, own) => return None,
        Kind::File if is_set(own) || own.traits.capabilities.is_some() => {
            (What::NewExecutable, Severity::Critical)
        }
        Kind::File if is_program(own) || LOADED.contains(&path.as_bytes()) => {
            (What::NewExecutable, Severity::High)
        }
        Kind::File => (What::NewExecutable, Severity::Medium),
        _ => return None,
    };
    Some(Meaning { what, severity, differences: differs(None, Some(own)) })
}

/// Whether something of an image may do more than it could: as another user, or at all.
fn gains(own: &Piece, image: &Piece) -> (bool, bool) {
    let bits =
        if own.state.kind == Kind::File { own.state.mode.0 & !image.state.mode.0 } else { 0 };
    let capabilities = own.traits.capabilities.as_ref();
    let more = capabilities.is_some() && capabilities != image.traits.capabilities.as_ref();
    let set = bits & SET != 0 || more;
    (set, set || bits & RUN != 0)
}

/// Whether a file can be run, or is run by what begins: a mode says so, or what it begins with, since an
/// interpreter and a loader ask for no mode.
fn may_run(path: &FilePath, piece: &Piece) -> bool {
    if piece.state.kind != Kind::File || piece.state.size == 0 {
        return false;
    }
    piece.state.mode.0 & RUN != 0 || is_program(piece) || LOADED.contains(&path.as_bytes())
}

/// Whether it begins as a program or a script does.
fn is_program(piece: &Piece) -> bool {
    piece.traits.head.starts_with(b"\x7fELF") || piece.traits.head.starts_with(b"#!")
}

fn is_set(piece: &Piece) -> bool {
    piece.state.mode.0 & SET != 0
}

fn is_setting(path: &FilePath) -> bool {
    path.as_bytes().starts_with(b"/etc/")
}

fn differs(image: Option<&Piece>, own: Option<&Piece>) -> Vec<Difference> {
    let state = |piece: Option<&Piece>| piece.map(|it| it.state.clone());
    let is_metadata = own.is_some_and(|own| own.traits.is_metadata);
    let (image, mut own) = (state(image), state(own));
    if let (Some(image), Some(other)) = (&image, &mut own) {
        // Roots of users' own namespaces have owners of their own.
        other.owner = image.owner;
        if is_metadata {
            (other.size, other.digest) = (image.size, image.digest.clone());
        }
    }
    differences(image.as_ref(), own.as_ref())
}

/// Bits of a mode by which something runs, and by which it runs as its owner.
const RUN: u32 = 0o111;
const SET: u32 = 0o6000;
/// Files that are no programs, and make code run in every one.
const LOADED: &[&[u8]] = &[b"/etc/ld.so.preload"];

#[cfg(test)]
#[path = "layers/tests.rs"]
mod tests;
