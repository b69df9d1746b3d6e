//! One container's root, directory by directory, as the kernel stacks it: the uppermost that has a name decides,
//! a device without numbers says that a name is gone, and an opaque directory hides what is below it.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

use ringfort_model::mode::{FileMode, Owner};
use rustix::fs::{FileType, Mode, OFlags, fstat, getxattr, open};
use rustix::io::Errno;

use crate::change::Unknown;
use crate::containerd::Stack;
use crate::judge::{Content, Kind, Look};
use crate::layers::{Meaning, Piece, Traits, directory, inside, judge, removed};
use crate::os::look::{Root, kind};
use crate::path::FilePath;
use crate::protected::{Expected, Hash};
use crate::state::State;

/// What is read of a file to see whether it is a program.
const HEAD_BYTES: u64 = 4;
/// The longest value that is kept beside a file here.
const ATTRIBUTE_BYTES: usize = 256;
const BITS_OF_MODE: u32 = 0o7777;

/// A container's root.
#[derive(Clone, Debug)]
pub(in crate::os) struct Overlay {
    stack: Stack,
    own: FilePath,
    image: Vec<FilePath>,
    /// The layers of the image that hold a directory, for the one that was last asked for.
    memo: Option<(FilePath, Vec<usize>)>,
}

/// Something that is not as the image has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::os) struct Found {
    /// Where, on the machine.
    pub path: FilePath,
    /// Where, as the container has it.
    pub inside: FilePath,
    pub meaning: Meaning,
    pub before: Option<State>,
    pub after: Option<State>,
}

/// What a look at one path came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::os) struct Looked {
    /// What is there, if anything is.
    pub kind: Option<Kind>,
    pub found: Vec<Found>,
}

/// Something in one directory of the stack.
struct Glance {
    piece: Piece,
    /// It says that the name is gone.
    is_gone: bool,
    /// It hides what the directories below have in its place.
    is_opaque: bool,
    /// What it stands for lies at another path below.
    is_elsewhere: bool,
}

impl Overlay {
    /// Takes a container's root, if all that it is stacked of can be seen.
    ///
    /// # Errors
    /// A layer is not on the disk.
    pub(in crate::os) fn of(root: &mut Root, stack: &Stack) -> Result<Self, Unknown> {
        let own = directory(stack.own);
        let id = &stack.container.id;
        let unknown = |why| Err(Unknown { path: own.clone(), why });
        if root.kind(&own) != Some(Kind::Directory) {
            return unknown(format!("the own directory of container {id} is not on this disk"));
        }
        let image: Vec<FilePath> = stack.image.iter().map(|it| directory(it.number)).collect();
        for (layer, path) in stack.image.iter().zip(&image) {
            if root.kind(path) != Some(Kind::Directory) {
                let image = stack.container.image.as_deref().unwrap_or("its image");
                let name = &layer.name;
                let why = format!("layer {name} of {image} is not on this disk: container {id}");
                return unknown(why);
            }
        }
        Ok(Self { stack: stack.clone(), own, image, memo: None })
    }

    pub(in crate::os) fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Gives the directory that takes what the container writes.
    pub(in crate::os) fn own(&self) -> &FilePath {
        &self.own
    }

    /// Looks at a path in the container's own directory.
    ///
    /// # Errors
    /// It could not be seen, or what the image has there could not be.
    pub(in crate::os) fn look(
        &mut self,
        root: &mut Root,
        path: &FilePath,
    ) -> Result<Looked, String> {
        // What is below a directory may be another by now, whoever wrote it.
        root.begin_anew();
        let inside = inside(&self.stack, path).ok_or("it is not in the container's directory")?;
        let Some(glance) = glance(root, path)? else { return Ok(Looked::default()) };
        let kind = Some(glance.piece.state.kind);
        if inside == FilePath::root() {
            return Ok(Looked { kind, found: Vec::new() });
        }
        let image = self.find(root, &inside)?;
        if glance.is_gone {
            let gone = image.map(|at| gone(root, path, inside, &at)).transpose()?;
            return Ok(Looked { kind, found: gone.into_iter().collect() });
        }
        if glance.is_elsewhere {
            return Err("it was renamed by the kernel, which says elsewhere what it holds".into());
        }
        let is_directory = kind == Some(Kind::Directory);
        let found = match image {
            Some(at) if is_directory && root.kind(&at) == Some(Kind::Directory) => {
                let missing = glance.is_opaque.then(|| self.missing(root, path, &inside));
                missing.transpose()?.unwrap_or_default()
            }
            image => compare(root, path, inside, &glance.piece, image)?.into_iter().collect(),
        };
        Ok(Looked { kind, found })
    }

    /// What the image has in a directory that was removed and made anew, and is not there any more.
    fn missing(
        &mut self,
        root: &mut Root,
        path: &FilePath,
        inside: &FilePath,
    ) -> Result<Vec<Found>, String> {
        let text = |error: io::Error| error.to_string();
        let own = root.list(path).map_err(text)?;
        let mut names = Vec::new();
        for layer in self.holding(root, inside)? {
            names.extend(root.list(&below(&self.image[layer], inside)).map_err(text)?);
        }
        names.sort();
        names.dedup();
        let mut all = Vec::new();
        for name in names.iter().filter(|name| !own.contains(name)) {
            let both = path.join(name).ok().zip(inside.join(name).ok());
            let Some((path, inside)) = both else { continue };
            if let Some(at) = self.find(root, &inside)? {
                all.push(gone(root, &path, inside, &at)?);
            }
        }
        Ok(all)
    }

    /// Finds what the image has at a path, by where it lies on the machine.
    fn find(&mut self, root: &mut Root, inside: &FilePath) -> Result<Option<FilePath>, String> {
        let Some(parent) = inside.parent() else { return Ok(None) };
        for layer in self.holding(root, &parent)? {
            let at = below(&self.image[layer], inside);
            if let Some(glance) = glance(root, &at)? {
                return Ok((!glance.is_gone).then_some(at));
            }
        }
        Ok(None)
    }

    /// Says which layers of the image are seen in a directory, the uppermost first.
    fn holding(&mut self, root: &mut Root, inside: &FilePath) -> Result<Vec<usize>, String> {
        let Some(parent) = inside.parent() else { return Ok((0..self.image.len()).collect()) };
        if let Some((_, layers)) = self.memo.as_ref().filter(|(known, _)| known == inside) {
            return Ok(layers.clone());
        }
        let mut layers = Vec::new();
        for layer in self.holding(root, &parent)? {
            let Some(glance) = glance(root, &below(&self.image[layer], inside))? else { continue };
            if glance.piece.state.kind != Kind::Directory {
                break;
            }
            layers.push(layer);
            if glance.is_opaque {
                break;
            }
        }
        self.memo = Some((inside.clone(), layers.clone()));
        Ok(layers)
    }
}

/// Holds what the container has against what its image has.
fn compare(
    root: &mut Root,
    path: &FilePath,
    inside: FilePath,
    own: &Piece,
    image: Option<FilePath>,
) -> Result<Option<Found>, String> {
    let image = image.map(|at| piece(root, &at)).transpose()?.flatten();
    // Data that no image has is not read.
    if image.is_none() && judge(&inside, own, None).is_none() {
        return Ok(None);
    }
    // What is gone by now was there for a moment, as much of what a container writes is.
    let Some(own) = piece(root, path)? else { return Ok(None) };
    let meaning = judge(&inside, &own, image.as_ref());
    Ok(meaning.map(|meaning| Found {
        path: path.clone(),
        inside,
        meaning,
        before: image.map(|it| it.state),
        after: Some(own.state),
    }))
}

fn gone(
    root: &mut Root,
    path: &FilePath,
    inside: FilePath,
    image: &FilePath,
) -> Result<Found, String> {
    let image = piece(root, image)?.ok_or("what its image has there went away")?;
    let meaning = removed(&inside, &image);
    let (path, before) = (path.clone(), Some(image.state));
    Ok(Found { path, inside, meaning, before, after: None })
}

/// Reads something whole.
fn piece(root: &mut Root, path: &FilePath) -> Result<Option<Piece>, String> {
    let Some(Glance { piece, .. }) = glance(root, path)? else { return Ok(None) };
    if !matches!(piece.state.kind, Kind::File | Kind::Link) {
        return Ok(Some(piece));
    }
    match root.look(path, Some(Expected { size: None, hash: Hash::Blake3([0; 32]) })) {
        Look::Missing => Ok(None),
        Look::Unreadable(why) | Look::Astray(why) => Err(why),
        Look::There(seen) => match &seen.content {
            Content::Unreadable(why) => Err(why.clone()),
            _ => Ok(Some(Piece { state: State::of(&seen), ..piece })),
        },
    }
}

/// Looks at something without reading it; nothing, where nothing is.
fn glance(root: &mut Root, path: &FilePath) -> Result<Option<Glance>, String> {
    let place = match root.place(path) {
        Ok(place) => place,
        Err(error) if is_nothing(&error) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    see(&place).map(Some).map_err(|error| error.to_string())
}

fn see(place: &OwnedFd) -> io::Result<Glance> {
    let stat = fstat(place)?;
    let kind = kind(&stat);
    let is_gone = kind == Kind::Device
        && FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && stat.st_rdev == 0;
    let (is_file, is_directory) = (kind == Kind::File, kind == Kind::Directory);
    let has = |name, is_asked: bool| -> io::Result<Option<Vec<u8>>> {
        if is_asked { attribute(place, name) } else { Ok(None) }
    };
    let is_opaque = has("trusted.overlay.opaque", is_directory)?.is_some_and(|it| it == b"y");
    let redirect = has("trusted.overlay.redirect", is_directory || is_file)?;
    let metadata = has("trusted.overlay.metacopy", is_file)?;
    let traits = Traits {
        head: if is_file { head(place)? } else { Vec::new() },
        capabilities: has("security.capability", is_file)?,
        is_metadata: metadata.is_some(),
    };
    let size = if is_file { u64::try_from(stat.st_size).unwrap_or_default() } else { 0 };
    let mode = FileMode(stat.st_mode & BITS_OF_MODE);
    let owner = Owner { uid: stat.st_uid, gid: stat.st_gid };
    let (number, capabilities) = (None, None);
    let state = State { kind, mode, owner, size, digest: None, number, capabilities };
    let piece = Piece { state, traits };
    Ok(Glance { piece, is_gone, is_opaque, is_elsewhere: redirect.is_some() })
}

/// Reads what a file begins with.
fn head(place: &OwnedFd) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = open(by_number(place), flags, Mode::empty())?;
    let mut head = Vec::new();
    fs::File::from(opened).take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Reads a value that is kept beside a file; nothing, where there is none.
fn attribute(place: &OwnedFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; ATTRIBUTE_BYTES];
    match getxattr(by_number(place), name, &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        // It is there, and longer than any that is compared.
        Err(Errno::RANGE) => Ok(Some(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

fn by_number(place: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", place.as_raw_fd())
}

/// Whether an error says that nothing is at a path: no name, or something on its way that is no directory.
fn is_nothing(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::NOTDIR, Errno::LOOP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Gives where something of a container's root lies in one directory of its stack.
fn below(layer: &FilePath, inside: &FilePath) -> FilePath {
    let bytes = [layer.as_bytes(), inside.as_bytes()].concat();
    let bytes = bytes.strip_suffix(b"/").unwrap_or(&bytes).to_vec();
    FilePath::new(bytes).unwrap_or_else(|_| layer.clone())
}

/// Says whether this process is shown what says how directories are stacked: the kernel hides it from everybody
/// else, as if it were not there.
pub(in crate::os) fn sight() -> Sight {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|it| u64::from_str_radix(it.trim(), 16).ok());
    let is_whole = users.split_ascii_whitespace().eq(["0", "0", "4294967295"]);
    if is_whole && bits.unwrap_or_default() & ADMIN != 0 { Sight::Whole } else { Sight::Narrow }
}

/// How much of a stack of directories is seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::os) enum Sight {
    /// All of it.
    Whole,
    /// Not what hides what is below.
    Narrow,
}

/// The capability to administer the machine.
const ADMIN: u64 = 1 << 21;
