//! dpkg's list of packages: stanzas of fields. Pure.

/// What dpkg says of a package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The machines that it is for.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// How far it is installed.
    pub state: State,
    /// Files that their owner may change, with their MD5 as they came; none where dpkg knows none.
    pub settings: Vec<(Vec<u8>, Option<[u8; 16]>)>,
}

/// How far a package is installed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// All its files are there.
    There,
    /// It was removed, and settings of it are left.
    Settings,
    /// It was never there, or nothing is left of it.
    Gone,
    /// It is being installed or removed, or that was interrupted: what of it is there is not known.
    Torn,
}

/// Reads stanzas. Later ones of the same package count. Gives what could not be read as well.
pub fn read_status(text: &[u8]) -> (Vec<Package>, Vec<String>) {
    let (mut packages, mut gaps): (Vec<Package>, _) = (Vec::new(), Vec::new());
    let mut places = std::collections::BTreeMap::new();
    for (number, stanza) in stanzas(text).enumerate() {
        match package(&stanza) {
            Ok(package) => {
                let key = (package.name.clone(), package.architecture.clone());
                match places.get(&key) {
                    Some(&at) => packages[at] = package,
                    None => {
                        places.insert(key, packages.len());
                        packages.push(package);
                    }
                }
            }
            Err(why) => gaps.push(format!("its package {}: {why}", number + 1)),
        }
    }
    (packages, gaps)
}

/// The fields of a stanza, with the lines that go on below each.
type Stanza<'a> = Vec<(&'a [u8], Vec<&'a [u8]>)>;

fn stanzas(text: &[u8]) -> impl Iterator<Item = Stanza<'_>> {
    let mut lines = text.split(|&byte| byte == b'\n');
    std::iter::from_fn(move || {
        let mut stanza: Stanza<'_> = Vec::new();
        loop {
            let Some(line) = lines.next() else { break (!stanza.is_empty()).then_some(stanza) };
            match line {
                [] if stanza.is_empty() => {}
                [] => break Some(stanza),
                [b' ' | b'\t', ..] if !stanza.is_empty() => {
                    stanza.iter_mut().last().into_iter().for_each(|field| field.1.push(line));
                }
                line => stanza.push((line, Vec::new())),
            }
        }
    })
}

fn package(stanza: &Stanza<'_>) -> Result<Package, String> {
    let field = |key: &str| {
        stanza.iter().find_map(|(line, below)| {
            let rest = line.strip_prefix(key.as_bytes())?.strip_prefix(b":")?;
            Some((rest.trim_ascii(), below))
        })
    };
    let text = |key: &str| {
        field(key).map(|(rest, _)| String::from_utf8_lossy(rest).into_owned()).unwrap_or_default()
    };
    let (name, architecture) = (text("Package"), text("Architecture"));
    // Both are parts of names of files.
    let is_name = |text: &str| {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        text.bytes().all(is_plain) && !text.starts_with('.')
    };
    if name.is_empty() || !is_name(&name) || !is_name(&architecture) {
        return Err(format!("{name:?} of {architecture:?} is no name of a package"));
    }
    let state = state(&text("Status")).map_err(|why| format!("{name}: {why}"))?;
    let mut settings = Vec::new();
    for line in field("Conffiles").into_iter().flat_map(|(_, below)| below) {
        settings.push(
            setting(line).ok_or_else(|| {
                format!("{name}: {:?} is no setting", String::from_utf8_lossy(line))
            })?,
        );
    }
    Ok(Package { name, architecture, version: text("Version"), state, settings })
}

/// Reads the three words of a state: what is wanted, whether it is damaged, and how far it is.
fn state(text: &str) -> Result<State, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match words[..] {
        [_, "ok", "installed" | "unpacked" | "half-configured"]
        | [_, "ok", "triggers-awaited" | "triggers-pending"] => Ok(State::There),
        [_, "ok", "config-files"] => Ok(State::Settings),
        [_, "ok", "not-installed"] => Ok(State::Gone),
        [_, "ok", "half-installed"] | [_, "reinstreq", _] => Ok(State::Torn),
        _ => Err(format!("its state is {text:?}")),
    }
}

/// Reads ` PATH MD5`, with words after it that say that it is nobody's any more.
fn setting(line: &[u8]) -> Option<(Vec<u8>, Option<[u8; 16]>)> {
    let line = line.trim_ascii();
    let line = line.strip_suffix(b" remove-on-upgrade").unwrap_or(line);
    let (line, is_obsolete) = match line.strip_suffix(b" obsolete") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let at = line.iter().rposition(|&byte| byte == b' ')?;
    let (path, digest) = (&line[..at], &line[at + 1..]);
    match (digest, md5(digest)) {
        (b"newconffile", _) => Some((path.to_vec(), None)),
        (_, Some(digest)) => Some((path.to_vec(), Some(digest).filter(|_| !is_obsolete))),
        _ => None,
    }
}

/// Reads a digest.
pub(super) fn md5(hex: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if hex.len() != 32 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks(2)) {
        let digit = |letter: u8| char::from(letter).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn stanzas_are_read_and_later_ones_count() {
        let text = format!(
            "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\
             Conffiles:\n /etc/a {DIGEST}\n /etc/b b {DIGEST} obsolete\n /etc/c newconffile\n\
             Description: some\n thing\n .\n\n\n\
             Package: b\nStatus: deinstall ok config-files\nArchitecture: all\n\n\
             Package: a\nStatus: install reinstreq half-installed\nArchitecture: amd64\n"
        );
        let (packages, gaps) = read_status(text.as_bytes());
        assert_eq!(gaps, Vec::<String>::new());
        let said: Vec<_> = packages.iter().map(|it| (it.name.as_str(), it.state)).collect();
        assert_eq!(said, [("a", State::Torn), ("b", State::Settings)]);
        let first = text.split("\n\n\n").next().unwrap();
        let settings = read_status(first.as_bytes()).0.remove(0).settings;
        let said: Vec<_> =
            settings.iter().map(|(path, digest)| (path.as_slice(), digest.is_some())).collect();
        let expected: [(&[u8], bool); 3] =
            [(b"/etc/a", true), (b"/etc/b b", false), (b"/etc/c", false)];
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_no_stanza_is_told_and_never_left_out() {
        let check = |text: &str| {
            let (packages, gaps) = read_status(text.as_bytes());
            assert_eq!((packages.len(), gaps.len()), (0, 1), "{text:?} {packages:?} {gaps:?}");
        };
        check("Package: ../../tmp/a\nStatus: install ok installed\n");
        check("Package: a\nArchitecture: a/b\nStatus: install ok installed\n");
        check("Package: a\nStatus: install ok\n");
        check("Package: a\n");
        check("Status: install ok installed\n");
        check("Package: a\nStatus: install ok installed\nConffiles:\n /etc/a 123\n");
        check("\u{1}garbage");
        assert_eq!(read_status(b""), (Vec::new(), Vec::new()));
    }
}
