//! Flags of one component, each value with the control that asked for it.

use std::collections::BTreeMap;

/// Flags of one component.
#[derive(Debug, Default)]
pub(super) struct Flags {
    flags: BTreeMap<&'static str, Flag>,
}

#[derive(Debug)]
struct Flag {
    join: Join,
    values: Vec<(String, &'static str)>,
}

/// How several values of one flag are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Join {
    /// There is one value.
    Alone,
    /// Behind each other, with commas.
    Commas,
    /// The flag is given again.
    Again,
}

impl Flags {
    /// Sets a flag or adds to it.
    ///
    /// # Errors
    /// Another control set it to something else; that control's id.
    pub(super) fn set(
        &mut self,
        name: &'static str,
        join: Join,
        value: String,
        by: &'static str,
    ) -> Result<(), &'static str> {
        let flag = self.flags.entry(name).or_insert(Flag { join, values: Vec::new() });
        if flag.values.iter().any(|(known, _)| *known == value) {
            return Ok(());
        }
        match flag.values.first() {
            Some((_, first)) if join == Join::Alone || flag.join != join => Err(first),
            _ => {
                flag.values.push((value, by));
                Ok(())
            }
        }
    }

    /// Gives a flag one value, whatever it had.
    pub(super) fn only(&mut self, name: &'static str, value: String, by: &'static str) {
        let values = vec![(value, by)];
        self.flags.insert(name, Flag { join: Join::Alone, values });
    }

    /// Takes a flag away, and says whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.flags.remove(name).is_some()
    }

    /// Takes one value of a flag away, and says whether it was there.
    pub(super) fn remove_value(&mut self, name: &str, value: &str) -> bool {
        let Some(flag) = self.flags.get_mut(name) else { return false };
        let before = flag.values.len();
        flag.values.retain(|(known, _)| known != value);
        flag.values.len() < before
    }

    /// Leaves the first value of a flag, and says whether there were more.
    pub(super) fn keep_first(&mut self, name: &str) -> bool {
        let Some(flag) = self.flags.get_mut(name) else { return false };
        let before = flag.values.len();
        flag.values.truncate(1);
        flag.values.len() < before
    }

    /// Writes all flags, sorted by name.
    pub(super) fn write(&self) -> Vec<String> {
        let write = |(name, flag): (&&'static str, &Flag)| -> Vec<String> {
            let values = flag.values.iter().map(|(value, _)| value.as_str());
            match flag.join {
                Join::Commas => vec![format!("{name}={}", values.collect::<Vec<_>>().join(","))],
                Join::Alone | Join::Again => {
                    values.map(|value| format!("{name}={value}")).collect()
                }
            }
        };
        self.flags.iter().flat_map(write).collect()
    }

    /// Lists each value with the control that asked for it.
    pub(super) fn stamps(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.flags.iter().flat_map(|(name, flag)| {
            flag.values.iter().map(move |(value, by)| (format!("{name}={value}"), *by))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Flags, Join};

    #[test]
    fn values_join_as_their_flag_wants() {
        let mut flags = Flags::default();
        for (name, join, value) in [
            ("--b", Join::Commas, "2"),
            ("--b", Join::Commas, "1"),
            ("--b", Join::Commas, "2"),
            ("--c", Join::Again, "x"),
            ("--c", Join::Again, "y"),
            ("--a", Join::Alone, "z"),
            ("--a", Join::Alone, "z"),
        ] {
            assert_eq!(flags.set(name, join, value.to_owned(), "one"), Ok(()));
        }
        assert_eq!(flags.write(), ["--a=z", "--b=2,1", "--c=x", "--c=y"]);
    }

    #[test]
    fn two_controls_that_differ_are_told_apart() {
        let mut flags = Flags::default();
        assert_eq!(flags.set("--a", Join::Alone, "1".to_owned(), "one"), Ok(()));
        assert_eq!(flags.set("--a", Join::Alone, "2".to_owned(), "two"), Err("one"));
        assert_eq!(flags.set("--a", Join::Commas, "2".to_owned(), "two"), Err("one"));
    }
}
