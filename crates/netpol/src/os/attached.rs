//! Which addresses the network plugin gave to which pods, one small file each. They outlive the
//! enforcer's process, as pods do, and end with the machine's run, as pods do.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use ringfort_policy::{Attached, Place};

/// What a plugin tells of a pod.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Attachment {
    /// The sandbox that has the addresses.
    pub(super) container: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) addresses: Vec<IpAddr>,
}

/// The files.
pub(super) struct Attachments {
    directory: PathBuf,
    all: BTreeMap<String, Attachment>,
}

impl Attachments {
    /// Reads what is there. A file that is none, or stands aside still, was cut short by a crash: its pod
    /// has no packet yet, and nobody would take the file away.
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            match serde_json::from_slice::<Attachment>(&fs::read(&path)?) {
                Ok(attachment) if path == self::path(directory, &attachment.container) => {
                    all.insert(attachment.container.clone(), attachment);
                }
                _ => fs::remove_file(&path)?,
            }
        }
        Ok(Self { directory: directory.to_owned(), all })
    }

    pub(super) fn add(&mut self, attachment: Attachment) -> io::Result<()> {
        let aside = self.directory.join(format!(".{}", attachment.container));
        fs::write(&aside, serde_json::to_vec(&attachment)?)?;
        fs::rename(&aside, path(&self.directory, &attachment.container))?;
        // A sandbox has its addresses alone: who had them before has gone without a word.
        let addresses = &attachment.addresses;
        let stale: Vec<String> = self
            .all
            .values()
            .filter(|other| other.addresses.iter().any(|it| addresses.contains(it)))
            .map(|other| other.container.clone())
            .filter(|other| *other != attachment.container)
            .collect();
        for container in stale {
            self.remove(&container)?;
        }
        self.all.insert(attachment.container.clone(), attachment);
        Ok(())
    }

    /// Forgets a sandbox; says whether it was known.
    pub(super) fn remove(&mut self, container: &str) -> io::Result<bool> {
        forget(&self.directory, container)?;
        Ok(self.all.remove(container).is_some())
    }

    /// Says whose each address is.
    pub(super) fn by_address(&self) -> BTreeMap<IpAddr, Attached> {
        let one = |each: &Attachment| {
            let place = Place::new(each.namespace.clone(), each.name.clone());
            let whose = Attached { place, uid: each.uid.clone() };
            each.addresses.iter().map(move |it| (*it, whose.clone())).collect::<Vec<_>>()
        };
        self.all.values().flat_map(one).collect()
    }
}

/// Forgets a sandbox; one that is not known is no error.
pub(super) fn forget(directory: &Path, container: &str) -> io::Result<()> {
    match fs::remove_file(path(directory, container)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn path(directory: &Path, container: &str) -> PathBuf {
    directory.join(format!("{container}.json"))
}

#[cfg(test)]
mod tests {
    use super::{Attachment, Attachments};

    fn attachment(container: &str, address: &str) -> Attachment {
        Attachment {
            container: container.to_owned(),
            namespace: "a".to_owned(),
            name: "p".to_owned(),
            uid: format!("of {container}"),
            addresses: vec![address.parse().unwrap()],
        }
    }

    #[test]
    fn what_was_attached_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let mut all = Attachments::read(directory.path()).unwrap();
        all.add(attachment("one", "10.1.0.2")).unwrap();
        all.add(attachment("two", "10.1.0.3")).unwrap();
        assert!(all.remove("two").unwrap());
        assert!(!all.remove("two").unwrap());
        std::fs::write(directory.path().join("torn.json"), "{").unwrap();
        let aside = serde_json::to_vec(&attachment("never", "10.1.0.4")).unwrap();
        std::fs::write(directory.path().join(".never"), aside).unwrap();
        let again = Attachments::read(directory.path()).unwrap();
        assert_eq!(again.by_address(), all.by_address());
        assert_eq!(again.by_address().len(), 1);
        let files = std::fs::read_dir(directory.path()).unwrap();
        assert_eq!(files.count(), 1, "what is no attachment is gone");
    }

    #[test]
    fn an_address_belongs_to_whom_it_was_given_last() {
        let directory = tempfile::tempdir().unwrap();
        let mut all = Attachments::read(directory.path()).unwrap();
        all.add(attachment("old", "10.1.0.2")).unwrap();
        all.add(attachment("new", "10.1.0.2")).unwrap();
        let of: Vec<String> = all.by_address().into_values().map(|it| it.uid).collect();
        assert_eq!(of, ["of new"]);
        let again = Attachments::read(directory.path()).unwrap();
        assert_eq!(again.by_address(), all.by_address());
    }
}
