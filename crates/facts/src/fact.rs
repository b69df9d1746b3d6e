//! A fact that was seen, or the gap where nothing was.
//!
//! Never here: a default, or a way around the gap.

use std::fmt;

use ringfort_model::judgement::Gap;

/// A fact that was seen, or what could not be looked at.
///
/// There is no `Default` and no way to a value that drops the gap: who wants the value hands on the
/// gap, mostly by `?`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fact<T> {
    /// It was seen.
    Known(Seen<T>),
    /// It was not.
    Missing(Gap),
}

/// A value, and what says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen<T> {
    /// The value.
    pub value: T,
    /// What says so.
    pub source: Source,
}

/// What says what a value is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// The component's own answer: `/configz`.
    Configz,
    /// A list of arguments: a process's, or a Pod's.
    CommandLine,
    /// A flag on the command line.
    Flag(String),
    /// A variable of the process.
    Environment(String),
    /// A file.
    File(String),
    /// Nobody set it: what the component takes then.
    Default(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configz => f.write_str("/configz"),
            Self::CommandLine => f.write_str("the command line"),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Environment(name) => write!(f, "the variable {name}"),
            Self::File(path) => f.write_str(path),
            Self::Default(of) => write!(f, "the default of {of}"),
        }
    }
}

impl<T> Fact<T> {
    /// Takes a value as seen.
    pub fn seen(value: T, source: Source) -> Self {
        Self::Known(Seen { value, source })
    }

    /// Says that nothing was seen: what, and what would close the gap.
    pub fn gap(said: impl Into<String>, closes: impl Into<String>) -> Self {
        Self::Missing(Gap { said: said.into(), closes: closes.into() })
    }

    /// Gives what was seen.
    ///
    /// # Errors
    /// Nothing was: the gap.
    pub fn known(&self) -> Result<&Seen<T>, Gap> {
        match self {
            Self::Known(seen) => Ok(seen),
            Self::Missing(gap) => Err(gap.clone()),
        }
    }

    /// Reads what was seen as something else, which may turn out to be a gap.
    pub fn then<U>(self, read: impl FnOnce(T) -> Result<U, Gap>) -> Fact<U> {
        match self {
            Self::Known(Seen { value, source }) => match read(value) {
                Ok(value) => Fact::Known(Seen { value, source }),
                Err(gap) => Fact::Missing(gap),
            },
            Self::Missing(gap) => Fact::Missing(gap),
        }
    }
}

/// Lets a room end with `Ok` of what was seen or `Err` of a gap; nothing is lost either way.
impl<T> From<Result<Seen<T>, Gap>> for Fact<T> {
    fn from(read: Result<Seen<T>, Gap>) -> Self {
        match read {
            Ok(seen) => Self::Known(seen),
            Err(gap) => Self::Missing(gap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Gap, Source};

    #[test]
    fn a_gap_goes_through_whatever_is_read() {
        let gap = Gap { said: "no machine".to_owned(), closes: "enter it".to_owned() };
        let missing: Fact<u8> = Fact::Missing(gap.clone());
        assert_eq!(missing.then(|_| Ok(true)), Fact::Missing(gap.clone()));
        let seen = Fact::seen(1, Source::CommandLine);
        assert_eq!(seen.clone().then(|one| Ok(one + 1)), Fact::seen(2, Source::CommandLine));
        assert_eq!(seen.then(|_| Err::<u8, _>(gap.clone())), Fact::Missing(gap));
    }
}
