//! The condition of a rule: names of what it looks for, joined by `and`, `or` and `not`.

use super::selection::Test;

/// Deeper ones are not read.
const DEEPEST: usize = 32;

/// Reads a condition; `read` gives the test that a name stands for.
pub(super) fn read(
    text: &str,
    names: &[&str],
    read: &dyn Fn(&str) -> Result<Test, String>,
) -> Result<Test, String> {
    if text.contains('|') {
        return Err("its condition counts".to_owned());
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, names, read, depth: 0 };
    let test = reader.any()?;
    match reader.words {
        [] => Ok(test),
        [word, ..] => Err(format!("its condition cannot be read from {word:?} on")),
    }
}

struct Reader<'r> {
    words: &'r [&'r str],
    names: &'r [&'r str],
    read: &'r dyn Fn(&str) -> Result<Test, String>,
    depth: usize,
}

impl Reader<'_> {
    fn takes(&mut self, word: &str) -> bool {
        let is_it = self.words.first().is_some_and(|next| next.eq_ignore_ascii_case(word));
        if is_it {
            self.words = &self.words[1..];
        }
        is_it
    }

    fn next(&mut self) -> Result<&str, String> {
        let (word, rest) = self.words.split_first().ok_or("its condition ends too early")?;
        self.words = rest;
        Ok(word)
    }

    fn any(&mut self) -> Result<Test, String> {
        let mut all = vec![self.all()?];
        while self.takes("or") {
            all.push(self.all()?);
        }
        Ok(Test::any(all))
    }

    fn all(&mut self) -> Result<Test, String> {
        let mut all = vec![self.one()?];
        while self.takes("and") {
            all.push(self.one()?);
        }
        Ok(Test::all(all))
    }

    fn one(&mut self) -> Result<Test, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("its condition is too deep".to_owned());
        }
        let test = self.inner();
        self.depth -= 1;
        test
    }

    fn inner(&mut self) -> Result<Test, String> {
        if self.takes("not") {
            return Ok(Test::Not(Box::new(self.one()?)));
        }
        if self.takes("(") {
            let test = self.any()?;
            return match self.takes(")") {
                true => Ok(test),
                false => Err("its condition lacks a )".to_owned()),
            };
        }
        let word = self.next()?.to_owned();
        match word.to_lowercase().as_str() {
            "1" | "any" if self.takes("of") => self.many().map(Test::any),
            "all" if self.takes("of") => self.many().map(Test::all),
            _ if word.chars().all(|it| it.is_ascii_alphanumeric() || "_-".contains(it)) => {
                (self.read)(&word)
            }
            _ => Err(format!("its condition has {word:?} in it")),
        }
    }

    /// What `them` stands for, or a name with a star at its end.
    fn many(&mut self) -> Result<Vec<Test>, String> {
        let pattern = self.next()?.to_owned();
        let is_it = |name: &&&str| match pattern.strip_suffix('*') {
            // Names with a _ in front stand for themselves alone.
            None if pattern.eq_ignore_ascii_case("them") => !name.starts_with('_'),
            None => **name == pattern,
            Some(start) => name.starts_with(start),
        };
        let tests = self.names.iter().filter(is_it).map(|name| (self.read)(name));
        let tests = tests.collect::<Result<Vec<_>, _>>()?;
        match tests.is_empty() {
            true => Err(format!("its condition names {pattern}, which is not there")),
            false => Ok(tests),
        }
    }
}
