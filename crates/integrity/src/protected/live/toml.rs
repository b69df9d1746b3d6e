//! The texts in a file of TOML, each with the key that it stands at: enough to know which paths are in it. Pure.

/// Gives every text that is a value, with its key; nothing, where the file is no TOML as far as that matters.
pub(super) fn strings(text: &str) -> Option<Vec<(String, String)>> {
    let (mut rest, mut found) = (text, Vec::new());
    let (mut word, mut key, mut open) = (String::new(), None, Vec::new());
    while let Some(letter) = rest.chars().next() {
        match letter {
            '#' => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            '"' | '\'' => {
                let (value, after) = quoted(rest)?;
                rest = after;
                match &key {
                    Some(key) => found.push((String::clone(key), value)),
                    None => word = value,
                }
                continue;
            }
            '=' if key.is_none() => key = Some(std::mem::take(&mut word)),
            '[' | '{' if key.is_some() => {
                // What stands in a table has keys of its own; behind it goes on what it stands in.
                open.push((letter, key.clone()));
                key = key.filter(|_| letter == '[');
            }
            ']' | '}' if !open.is_empty() => {
                let (begun, outer) = open.pop()?;
                if (begun == '[') != (letter == ']') {
                    return None;
                }
                (key, word) = (outer, String::new());
            }
            ',' if open.last().is_some_and(|(begun, _)| *begun == '{') => {
                (key, word) = (None, String::new());
            }
            '\n' if open.is_empty() => (key, word) = (None, String::new()),
            // Of a key with dots the last part counts.
            '.' | '[' | ']' if key.is_none() => word.clear(),
            plain if key.is_none() && !plain.is_whitespace() => word.push(plain),
            _ => {}
        }
        rest = &rest[letter.len_utf8()..];
    }
    open.is_empty().then_some(found)
}

/// Reads a text between its marks, and gives what comes after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let marks = ["\"\"\"", "'''", "\"", "'"];
    let mark = marks.into_iter().find(|mark| text.starts_with(mark))?;
    let (is_plain, is_long) = (mark.starts_with('\''), mark.len() == 3);
    let mut value = String::new();
    let mut rest = &text[mark.len()..];
    while let Some(letter) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(mark) {
            return Some((value, after));
        }
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\n' if !is_long => return None,
            '\\' if !is_plain => {
                let (letter, after) = escaped(rest)?;
                value.push(letter);
                rest = after;
            }
            plain => value.push(plain),
        }
    }
    None
}

/// Reads what stands behind a backslash.
fn escaped(text: &str) -> Option<(char, &str)> {
    let letter = text.chars().next()?;
    let after = &text[letter.len_utf8()..];
    let digits = match letter {
        'u' => 4,
        'U' => 8,
        'x' => 2,
        _ => {
            let plain = match letter {
                'n' => '\n',
                't' => '\t',
                other => other,
            };
            return Some((plain, after));
        }
    };
    let number = u32::from_str_radix(after.get(..digits)?, 16).ok()?;
    Some((char::from_u32(number)?, &after[digits..]))
}

#[cfg(test)]
mod tests {
    use super::strings;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = strings(text).unwrap();
        let found: Vec<_> = found.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn texts_are_found_with_their_keys() {
        check("version = 3\nroot = \"/a\" # \"no\"\n", &[("root", "/a")]);
        check("root = '/a'\nstate='/b'", &[("root", "/a"), ("state", "/b")]);
        check(
            "imports = [\n  \"/a/*.toml\", # one\n  '/b'\n]\n",
            &[("imports", "/a/*.toml"), ("imports", "/b")],
        );
        check(
            "[plugins.\"io.containerd.cri\".cni]\n  bin_dir = \"/opt\"\n",
            &[("bin_dir", "/opt")],
        );
        check(
            "[[x]]\na.conf_dir = \"/c\"\n\"quoted\" = \"/d\"",
            &[("conf_dir", "/c"), ("quoted", "/d")],
        );
        check(
            "x = { path = \"/p\", args = [\"/q\", \"-r\"], y = 1 }\nz = \"/z\"",
            &[("path", "/p"), ("args", "/q"), ("args", "-r"), ("z", "/z")],
        );
        check(
            "x = [{ a = \"/1\" }, { b = \"/2\" }]\nc = \"/3\"",
            &[("a", "/1"), ("b", "/2"), ("c", "/3")],
        );
        check("a = \"\"\"\n/x\n\"\"\"\nb = \"\\u002fy\\\"\"", &[("a", "\n/x\n"), ("b", "/y\"")]);
        check("", &[]);
    }

    #[test]
    fn what_is_cut_off_is_no_toml() {
        for text in
            ["a = \"/b", "a = [\"/b\"", "a = \"/b\nc = 1", "a = { b = \"/c\" ]", "a = \"\\u1\""]
        {
            assert_eq!(strings(text), None, "{text}");
        }
    }
}
