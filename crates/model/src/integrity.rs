//! Where a machine keeps what its files are compared with, and which of them an agent puts back by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::item::ItemId;

/// What its files should be, signed.
pub const BASELINE: &str = "/etc/ringfort/integrity/baseline";
/// The public half of the key that signs baselines.
pub const KEY: &str = "/etc/ringfort/integrity/key.pub";
/// A file that nothing reads: whoever changes it shows that changes are seen.
pub const CANARY: &str = "/etc/ringfort/integrity/canary";
/// What the canary holds.
pub const CANARY_TEXT: &str =
    "Nothing reads this file. Proofs change it for a moment, to see that changes are seen.\n";
/// The agent's own directory.
pub const STATE: &str = "/var/lib/ringfort/integrity";
/// An API server's audit log, which grows, and which nobody but the server itself begins anew.
pub const AUDIT_LOG: &str = "/var/log/kubernetes/audit.log";
/// Which files the agent puts back by itself; not there where that is left to `ringfort up`.
pub const REPAIR: &str = "/etc/ringfort/integrity/repair";

/// The files that an agent puts back by itself, each with what reads it only at its start.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PutBack(pub BTreeMap<String, BTreeSet<ItemId>>);

impl PutBack {
    /// Writes them, a line for each.
    pub fn text(&self) -> String {
        let line = |(path, readers): (&String, &BTreeSet<ItemId>)| {
            let readers: String = readers.iter().map(|it| format!("\t{it}")).collect();
            format!("{path}{readers}\n")
        };
        self.0.iter().map(line).collect()
    }

    /// Reads what was written; nothing where a line is none.
    pub fn read(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let mut parts = line.split('\t');
            let path = parts.next().filter(|path| path.starts_with('/'))?.to_owned();
            Some((path, parts.map(|it| it.parse().ok()).collect::<Option<_>>()?))
        };
        text.lines().map(line).collect::<Option<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_back_is_read_as_it_was_written() {
        let readers = [ItemId::unit("kubelet.service"), ItemId::Serving("etcd".to_owned())];
        let all = [
            ("/etc/a b".to_owned(), readers.into()),
            ("/etc/kubernetes/kubelet.conf".to_owned(), BTreeSet::new()),
        ];
        let all = PutBack(all.into());
        assert_eq!(PutBack::read(&all.text()), Some(all));
        assert_eq!(PutBack::read(""), Some(PutBack::default()));
        for bad in ["etc/a\n", "/etc/a\tkubelet\n", "\n"] {
            assert_eq!(PutBack::read(bad), None, "{bad:?}");
        }
    }
}
