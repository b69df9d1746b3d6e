//! What the kernel writes into a fanotify group that reports files by handles: records, read as bytes.
//! Pure. Nothing here opens or closes anything, whatever the bytes say.

/// Bytes of the fixed part of an event.
const EVENT_BYTES: usize = 24;
/// The version of that part.
const VERSION: u8 = 3;
/// Bytes of the fixed part of what follows an event.
const RECORD_BYTES: usize = 4;
/// Bytes that name a file system.
const FSID_BYTES: usize = 8;
/// Bytes before a handle: how long it is, and of what kind.
const HANDLE_HEAD_BYTES: usize = 8;
/// The kernel makes none that is longer.
const LONGEST_HANDLE_BYTES: usize = 128;

/// What happened, as bits of an event.
pub mod happened {
    /// It was written to.
    pub const MODIFY: u64 = 0x2;
    /// Its mode, owner or times changed.
    pub const ATTRIB: u64 = 0x4;
    /// Somebody who could write to it closed it.
    pub const CLOSE_WRITE: u64 = 0x8;
    /// It was renamed from here.
    pub const MOVED_FROM: u64 = 0x40;
    /// It was renamed to here.
    pub const MOVED_TO: u64 = 0x80;
    /// It was made.
    pub const CREATE: u64 = 0x100;
    /// It was removed.
    pub const DELETE: u64 = 0x200;
    /// The kernel had more to say than the queue held.
    pub const OVERFLOW: u64 = 0x4000;
    /// It is a directory.
    pub const ON_DIRECTORY: u64 = 0x4000_0000;
}

/// What names a file for the kernel: its file system, and a handle there.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileId {
    /// The file system.
    pub fsid: [u8; FSID_BYTES],
    /// The handle, its head first.
    pub handle: Vec<u8>,
}

/// Whether the process that did something was there when that was read, also as one that had ended and was not
/// waited for yet. The kernel goes by the process itself here, and not by its number.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Writer {
    /// The kernel does not say it.
    #[default]
    Untold,
    /// It was: nobody else had its number by then.
    There,
    /// It was not: whoever has its number is another.
    Gone,
}

/// Something that happened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Event {
    /// What, as bits of [`happened`].
    pub mask: u64,
    /// The process that did it.
    pub process: i32,
    /// Whether that one was still there.
    pub writer: Writer,
    /// The file itself, where the kernel says it.
    pub file: Option<FileId>,
    /// The directory that it is in, and its name there.
    pub entry: Option<(FileId, Vec<u8>)>,
}

/// What was read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Read {
    /// The events, in order.
    pub events: Vec<Event>,
    /// Why reading ended before the bytes did. What follows is lost, as in an overflow.
    pub broken: Option<&'static str>,
}

/// Reads what one read of a group gave.
pub fn read(mut bytes: &[u8]) -> Read {
    let mut read = Read::default();
    while !bytes.is_empty() {
        match event(bytes) {
            Ok((event, rest)) => {
                read.events.push(event);
                bytes = rest;
            }
            Err(why) => {
                read.broken = Some(why);
                break;
            }
        }
    }
    read
}

fn event(bytes: &[u8]) -> Result<(Event, &[u8]), &'static str> {
    let head = bytes.get(..EVENT_BYTES).ok_or("an event is cut off")?;
    let length = number(head, 0) as usize;
    let head_length = usize::from(u16::from_ne_bytes([head[6], head[7]]));
    if head[4] != VERSION {
        return Err("an event has a version that is not known");
    }
    if head_length < EVENT_BYTES || length < head_length || length > bytes.len() {
        return Err("an event has a length that cannot be");
    }
    let (own, rest) = bytes.split_at(length);
    let mask = u64::from(number(head, 8)) | u64::from(number(head, 12)) << 32;
    let mask = if cfg!(target_endian = "big") { mask.rotate_left(32) } else { mask };
    let mut event = Event { mask, process: number(head, 20) as i32, ..Event::default() };
    let mut records = &own[head_length..];
    while !records.is_empty() {
        records = record(records, &mut event)?;
    }
    Ok((event, rest))
}

/// Reads what follows an event into it; kinds that say nothing here are passed over.
fn record<'a>(bytes: &'a [u8], event: &mut Event) -> Result<&'a [u8], &'static str> {
    let head = bytes.get(..RECORD_BYTES).ok_or("a record is cut off")?;
    let length = usize::from(u16::from_ne_bytes([head[2], head[3]]));
    if length < RECORD_BYTES || length > bytes.len() {
        return Err("a record has a length that cannot be");
    }
    let (own, rest) = bytes.split_at(length);
    match head[0] {
        FILE => event.file = Some(file(&own[RECORD_BYTES..])?.0),
        ENTRY | DIRECTORY | NEW_ENTRY => {
            let (directory, name) = file(&own[RECORD_BYTES..])?;
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            event.entry = Some((directory, name[..end].to_vec()));
        }
        PROCESS => event.writer = writer(&own[RECORD_BYTES..])?,
        _ => {}
    }
    Ok(rest)
}

const FILE: u8 = 1;
const ENTRY: u8 = 2;
const DIRECTORY: u8 = 3;
const PROCESS: u8 = 4;
const NEW_ENTRY: u8 = 12;

/// Reads what names a file, and gives what follows it.
fn file(bytes: &[u8]) -> Result<(FileId, &[u8]), &'static str> {
    let (fsid, handle) = bytes.split_first_chunk().ok_or("a file's name is cut off")?;
    let head = handle.get(..HANDLE_HEAD_BYTES).ok_or("a handle is cut off")?;
    let length = number(head, 0) as usize;
    if length > LONGEST_HANDLE_BYTES || HANDLE_HEAD_BYTES + length > handle.len() {
        return Err("a handle has a length that cannot be");
    }
    let (handle, rest) = handle.split_at(HANDLE_HEAD_BYTES + length);
    Ok((FileId { fsid: *fsid, handle: handle.to_vec() }, rest))
}

/// Reads whether there was a process that a descriptor could be made of. It is the reader's to close.
fn writer(bytes: &[u8]) -> Result<Writer, &'static str> {
    let bytes = bytes.first_chunk().ok_or("a process's descriptor is cut off")?;
    // Of one that ended just then none can be made either.
    Ok(if i32::from_ne_bytes(*bytes) < 0 { Writer::Gone } else { Writer::There })
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(kind: u8, id: &FileId, name: &[u8]) -> Vec<u8> {
        let mut body = [id.fsid.as_slice(), id.handle.as_slice(), name].concat();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u16::try_from(body.len() + RECORD_BYTES).unwrap();
        [&[kind, 0], length.to_ne_bytes().as_slice(), &body].concat()
    }

    fn event(mask: u64, process: i32, records: &[Vec<u8>]) -> Vec<u8> {
        let records = records.concat();
        let length = u32::try_from(EVENT_BYTES + records.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend([VERSION, 0]);
        bytes.extend((EVENT_BYTES as u16).to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend((-1_i32).to_ne_bytes());
        bytes.extend(process.to_ne_bytes());
        [bytes, records].concat()
    }

    fn id(number: u8) -> FileId {
        let handle = [&8_u32.to_ne_bytes()[..], &1_u32.to_ne_bytes(), &[number; 8]].concat();
        FileId { fsid: [number; 8], handle }
    }

    #[test]
    fn names_and_files_of_events_are_read() {
        let made = event(happened::CREATE, 7, &[info(ENTRY, &id(1), b"new.yaml\0")]);
        let records = [info(ENTRY, &id(1), b"a\0"), info(FILE, &id(2), b""), info(9, &id(3), b"")];
        let written = event(happened::CLOSE_WRITE, 8, &records);
        let overflow = event(happened::OVERFLOW, 0, &[]);
        let read = read(&[made, written, overflow].concat());
        assert_eq!(read.broken, None);
        let [made, written, overflow] = read.events.try_into().unwrap();
        assert_eq!(made.entry, Some((id(1), b"new.yaml".to_vec())));
        assert_eq!((made.process, made.file), (7, None));
        assert_eq!(written.file, Some(id(2)));
        assert_eq!(written.entry, Some((id(1), b"a".to_vec())));
        assert_eq!(overflow, Event { mask: happened::OVERFLOW, ..Event::default() });
    }

    #[test]
    fn whether_who_did_it_was_still_there_is_read() {
        let check = |body: &[u8], expected| {
            let length = u16::try_from(body.len() + RECORD_BYTES).unwrap();
            let record = [&[PROCESS, 0], length.to_ne_bytes().as_slice(), body].concat();
            let made = event(happened::CREATE, 7, &[info(ENTRY, &id(1), b"a\0"), record]);
            let read = read(&made);
            let found = read.events.first().map(|event| (event.process, event.writer));
            assert_eq!(found.map(|it| it.1), expected, "{body:?}");
            assert!(found.is_none_or(|it| it.0 == 7) && found.is_some() == read.broken.is_none());
        };
        check(&9_i32.to_ne_bytes(), Some(Writer::There));
        check(&0_i32.to_ne_bytes(), Some(Writer::There));
        // There was none, or it could not be opened.
        check(&(-1_i32).to_ne_bytes(), Some(Writer::Gone));
        check(&(-2_i32).to_ne_bytes(), Some(Writer::Gone));
        check(&[9, 0, 0], None);
        check(&[], None);
        let untold = event(happened::CREATE, 7, &[info(ENTRY, &id(1), b"a\0")]);
        assert_eq!(read(&untold).events[0].writer, Writer::Untold);
    }

    #[test]
    fn what_cannot_be_ends_the_reading_and_is_told() {
        let good = event(happened::CREATE, 7, &[info(ENTRY, &id(1), b"new\0")]);
        for cut in 1..good.len() {
            let read = read(&[good.as_slice(), &good[..cut]].concat());
            assert!(read.broken.is_some() && read.events.len() == 1, "cut at {cut}");
        }
        let mut version = good.clone();
        version[4] = 4;
        assert_eq!(read(&version).broken, Some("an event has a version that is not known"));
        let mut zero = good;
        zero[0] = 0;
        assert!(read(&zero).broken.is_some());
    }
}
