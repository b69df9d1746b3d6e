//! Patterns of paths as dpkg reads them: `*` and `?` stand for slashes as well. Pure.

/// Says whether a pattern matches all of a text.
pub(crate) fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    // Where the last star was, and where in the text it began: what it stands for may be longer.
    let (mut at, mut within, mut star) = (0, 0, None);
    while within < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, within));
            at += 1;
        } else if let Some(next) = one(pattern, at, text[within]) {
            (at, within) = (next, within + 1);
        } else if let Some((star_at, began)) = star {
            star = Some((star_at, began + 1));
            (at, within) = (star_at + 1, began + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// Matches one letter, and says where the pattern goes on.
fn one(pattern: &[u8], at: usize, letter: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => match class(&pattern[at + 1..], letter) {
            Some((is_in, length)) => is_in.then_some(at + 1 + length),
            None => (letter == b'[').then_some(at + 1),
        },
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == letter).then_some(at + 2),
        plain => (plain == letter).then_some(at + 1),
    }
}

/// Reads a class of letters after its bracket: whether the letter is in it, and how long it is. One that
/// does not end is none.
fn class(rest: &[u8], letter: u8) -> Option<(bool, usize)> {
    let is_not = matches!(rest.first(), Some(b'!' | b'^'));
    let begin = usize::from(is_not);
    let length = rest.iter().skip(begin + 1).position(|&byte| byte == b']')? + begin + 1;
    let (mut all, mut is_in) = (&rest[begin..length], false);
    while let [first, tail @ ..] = all {
        (is_in, all) = match tail {
            [b'-', last, more @ ..] => (is_in || (*first..=*last).contains(&letter), more),
            more => (is_in || *first == letter, more),
        };
    }
    Some((is_in != is_not, length + 1))
}

#[cfg(test)]
mod tests {
    use super::is_match;

    #[test]
    fn patterns_match_as_dpkg_reads_them() {
        let check = |pattern: &str, text: &str, expected| {
            assert_eq!(is_match(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        };
        check("/usr/share/doc/*", "/usr/share/doc/a/b", true);
        check("/usr/share/doc/*", "/usr/share/doc", false);
        check("/usr/share/doc/*/copyright", "/usr/share/doc/a/copyright", true);
        check("*a*b", "xaxbxb", true);
        check("*a*b", "xaxbx", false);
        check("/a?c", "/abc", true);
        check("/a[bc-e]", "/ad", true);
        check("/a[!b]", "/ab", false);
        check("/a[]]", "/a]", true);
        check("/a[b", "/a[b", true);
        check("/a\\*", "/a*", true);
        check("/a\\*", "/ab", false);
        check("", "", true);
        check("", "a", false);
    }
}
