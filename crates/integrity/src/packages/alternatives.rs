//! Names that stand for one of several programs: links that dpkg knows by its own list. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Names;
use crate::path::FilePath;

/// Where the choices are made.
pub const CHOSEN: &str = "/etc/alternatives";

/// Names that stand for one of several programs.
#[derive(Clone, Debug, Default)]
pub struct Alternatives(BTreeMap<FilePath, Alternative>);

#[derive(Clone, Debug)]
struct Alternative {
    chosen: FilePath,
    choices: BTreeSet<FilePath>,
}

impl Alternatives {
    /// Takes one name with what it may stand for, as update-alternatives writes it.
    ///
    /// # Errors
    /// It is none.
    pub fn take(&mut self, name: &[u8], text: &[u8], names: &Names) -> Result<(), &'static str> {
        const CUT: &str = "it is cut off";
        let mut lines = text.split(|&byte| byte == b'\n');
        let mut next = || lines.next().ok_or(CUT);
        if !matches!(next()?, b"auto" | b"manual") {
            return Err("it does not begin as one");
        }
        let mut all = vec![(name.to_vec(), next()?.to_vec(), BTreeSet::new())];
        loop {
            match next()? {
                [] => break,
                slave => all.push((slave.to_vec(), next()?.to_vec(), BTreeSet::new())),
            }
        }
        loop {
            match next()? {
                [] => break,
                choice => all[0].2.extend(names.path(choice)),
            }
            next()?;
            for slave in &mut all[1..] {
                slave.2.extend(names.path(next()?));
            }
        }
        let chosen = FilePath::new(CHOSEN).map_err(|_| CUT)?;
        for (name, link, choices) in all {
            let link = names.path(&link).ok_or("its link is no path")?;
            let chosen = chosen.join(&name).map_err(|_| "its name is none")?;
            self.0.insert(link, Alternative { chosen, choices });
        }
        Ok(())
    }

    /// Gives where a link has to lead, and what may be chosen there.
    pub fn of(&self, link: &FilePath) -> Option<(&FilePath, &BTreeSet<FilePath>)> {
        self.0.get(link).map(|it| (&it.chosen, &it.choices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_choices_are_read_and_what_is_torn_is_refused() {
        let names = Names::default();
        let text = b"auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\n\n\
            /usr/bin/mawk\n5\n/usr/share/man/man1/mawk.1.gz\n/usr/bin/gawk\n10\n\n\n";
        let mut all = Alternatives::default();
        all.take(b"awk", text, &names).unwrap();
        let path = |text: &str| text.parse::<FilePath>().unwrap();
        let (chosen, choices) = all.of(&path("/usr/bin/awk")).unwrap();
        assert_eq!(chosen, &path("/etc/alternatives/awk"));
        assert_eq!(choices, &BTreeSet::from([path("/usr/bin/gawk"), path("/usr/bin/mawk")]));
        let (_, manual) = all.of(&path("/usr/share/man/man1/awk.1.gz")).unwrap();
        assert_eq!(manual.len(), 1, "a choice may have no manual");
        assert!(all.of(&path("/usr/bin/mawk")).is_none());
        for bad in ["", "auto", "auto\n/a", "auto\na\n\n\n", "auto\n/a\n\n/b", "what\n/a\n\n\n"] {
            let mut all = Alternatives::default();
            assert!(all.take(b"x", bad.as_bytes(), &names).is_err(), "{bad:?}");
            assert!(all.of(&path("/a")).is_none());
        }
        assert!(Alternatives::default().take(b"../x", b"auto\n/a\n\n\n", &names).is_err());
    }
}
