//! What outlives the enforcer's process beside the rules in the kernel: how these were at last, so that they
//! can be put back while nobody tells what they should be, and what was found of others who changed them. It
//! ends with the machine's run, as the rules do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::meddling::Meddlings;

/// The files.
pub(super) struct Kept {
    rules: PathBuf,
    aside: PathBuf,
    meddled: PathBuf,
    begun: PathBuf,
    is_current: bool,
}

impl Kept {
    pub(super) fn new(directory: &Path) -> Self {
        let at = |name: &str| directory.join(name);
        Self {
            rules: at("rules.nft"),
            aside: at(".rules.nft"),
            meddled: at("meddled.json"),
            begun: at("begun"),
            is_current: false,
        }
    }

    /// Gives the rules that were in force at last, if they are known.
    pub(super) fn rules(&self) -> Option<String> {
        fs::read_to_string(&self.rules).ok().filter(|script| !script.is_empty())
    }

    /// Says whether rules were given to the kernel since the machine was started: no pod of it is older than they are.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.exists()
    }

    /// Writes down that rules were given to the kernel.
    pub(super) fn begin(&self) -> io::Result<()> {
        if self.has_begun() { Ok(()) } else { fs::write(&self.begun, "") }
    }

    /// Forgets the rules, which is done before others are made: what is kept must never be older than
    /// what is in force.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.is_current = false;
        match fs::remove_file(&self.rules) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Keeps the rules that are in force, unless they are kept already. They are long: this is done now
    /// and then, and not with each change.
    pub(super) fn keep(&mut self, script: impl FnOnce() -> String) -> io::Result<()> {
        if self.is_current {
            return Ok(());
        }
        fs::write(&self.aside, script())?;
        fs::rename(&self.aside, &self.rules)?;
        self.is_current = true;
        Ok(())
    }

    /// Gives what was found of others since the machine was started.
    pub(super) fn meddlings(&self) -> Meddlings {
        let text = fs::read_to_string(&self.meddled).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes down what was found.
    pub(super) fn note(&self, meddlings: &Meddlings) -> io::Result<()> {
        let aside = self.meddled.with_extension("new");
        fs::write(&aside, serde_json::to_vec(meddlings)?)?;
        fs::rename(&aside, &self.meddled)
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;
    use crate::os::meddling::{Meddlings, Noticed};

    #[test]
    fn what_is_kept_is_there_after_a_restart_and_never_older_than_what_is_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let mut kept = Kept::new(directory.path());
        assert_eq!((kept.rules(), kept.meddlings().times()), (None, 0));
        kept.forget().unwrap();
        kept.keep(|| "one".to_owned()).unwrap();
        kept.keep(|| unreachable!("they are kept")).unwrap();
        let mut found = Meddlings::default();
        found.add(Noticed::now("gone", None), true);
        kept.note(&found).unwrap();
        let again = Kept::new(directory.path());
        assert_eq!((again.rules().as_deref(), again.meddlings()), (Some("one"), found));
        kept.forget().unwrap();
        assert_eq!((kept.rules(), again.rules()), (None, None));
        kept.keep(|| "two".to_owned()).unwrap();
        assert_eq!(again.rules().as_deref(), Some("two"));
    }
}
