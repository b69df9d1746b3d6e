//! What was seen of a machine of a cluster: which components run and how, the files that they name, modes
//! and owners, kernel settings.
//!
//! A bundle of such facts is taken on the machine and judged anywhere. No secret is in it: of keys there are
//! modes and owners, of an encryption configuration the providers' names.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::audit_summary::AuditSummary;
use crate::certificate::CertSeen;
use crate::digest::Digest;
use crate::mode::{FileMode, Owner};

/// What a bundle says it is, first of all.
pub const FACTS_API_VERSION: &str = "facts.ringfort.dev/v1";
/// The kind of a bundle.
pub const FACTS_KIND: &str = "MachineFacts";

/// A machine as it was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MachineFacts {
    /// Always [`FACTS_API_VERSION`].
    pub api_version: String,
    /// Always [`FACTS_KIND`].
    pub kind: String,
    /// What the machine calls itself.
    pub name: Observed<String>,
    /// Components by the names of their programs.
    #[serde(deserialize_with = "distinct")]
    pub components: BTreeMap<String, ComponentFacts>,
    /// Modes and owners of files and directories, each by its path on the machine.
    #[serde(deserialize_with = "distinct")]
    pub files: BTreeMap<String, Observed<FileFacts>>,
    /// The paths of all that lies below a directory of the machine, from there.
    #[serde(deserialize_with = "distinct")]
    pub below: BTreeMap<String, Observed<Vec<String>>>,
    /// First certificates of files.
    #[serde(deserialize_with = "distinct")]
    pub certificates: BTreeMap<String, Observed<CertSeen>>,
    /// The public keys of all certificates in files, each by its digest.
    #[serde(default, deserialize_with = "distinct", skip_serializing_if = "BTreeMap::is_empty")]
    pub public_keys: BTreeMap<String, Observed<BTreeSet<Digest>>>,
    /// Kernel settings by their names.
    #[serde(deserialize_with = "distinct")]
    pub kernel: BTreeMap<String, Observed<String>>,
    /// Names of users and groups by their numbers, as the machine's own files have them.
    pub accounts: Observed<Accounts>,
    /// What the newest part of the API server's audit log comes to; none where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Observed<AuditSummary>>,
}

/// Something that was looked for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed<T> {
    /// It was seen.
    Known(T),
    /// It was looked for, and is not there.
    Absent,
    /// It could not be looked at.
    Gap(Unseen),
}

/// Why something could not be looked at.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// What was looked at: a path.
    pub at: String,
    /// What the system said.
    pub why: String,
    /// What would supply it.
    pub closes: String,
}

impl<T> Observed<T> {
    /// Gives what was seen, as what it is read as.
    pub fn map<U>(self, read: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Known(value) => Observed::Known(read(value)),
            Self::Absent => Observed::Absent,
            Self::Gap(unseen) => Observed::Gap(unseen),
        }
    }
}

/// What was seen of a component.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ComponentFacts {
    /// Every process that runs it.
    pub processes: Observed<Vec<ProcessFacts>>,
    /// The release of its image, where its static pod names one.
    pub release: Observed<String>,
    /// Configuration files that its arguments name, as it sees them: each one document, as JSON, without
    /// what may be a secret.
    #[serde(deserialize_with = "distinct")]
    pub texts: BTreeMap<String, Observed<String>>,
    /// Files below directories that its arguments name, as it sees them.
    #[serde(deserialize_with = "distinct")]
    pub below: BTreeMap<String, Observed<Vec<String>>>,
    /// Where on the machine the files lie that its arguments name.
    #[serde(deserialize_with = "distinct")]
    pub places: BTreeMap<String, Observed<String>>,
}

/// A process.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProcessFacts {
    /// Its arguments, the program first. What a secret would be is left out.
    pub arguments: Observed<Vec<String>>,
    /// The names of its variables. Values are there of those that are settings, which only etcd takes.
    pub environment: Observed<Variables>,
    /// The user that it runs as.
    pub user: Observed<u32>,
    /// Whether it runs in a pod; none where nobody looked: it is looked for of ringfort alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_pod: Option<Observed<bool>>,
    /// The file that it runs, whatever it calls itself; none where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<Observed<String>>,
}

/// Variables of a process: a value, where it is one that may be told.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Variables(#[serde(deserialize_with = "distinct")] pub BTreeMap<String, Option<String>>);

/// A file or a directory.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FileFacts {
    /// What it is.
    pub kind: FileKind,
    /// Its permission bits.
    pub mode: FileMode,
    /// Whose it is.
    pub owner: Owner,
    /// Grants beside its mode; absent where there are none.
    pub acl: Observed<Vec<AclEntry>>,
}

/// What a path leads to, links followed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A socket, a device or the like.
    Other,
}

/// An entry of an access control list of POSIX.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AclEntry {
    /// Whom it is for.
    pub tag: AclTag,
    /// The user or the group, where one is named.
    pub id: Option<u32>,
    /// What is granted: 4 to read, 2 to write, 1 to execute or search.
    pub permissions: u16,
}

/// Whom an entry of an access control list is for (`acl(5)`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AclTag {
    /// The owner.
    Owner,
    /// A user that is named.
    User,
    /// The owning group.
    OwningGroup,
    /// A group that is named.
    Group,
    /// The most that named users and all groups get.
    Mask,
    /// Everybody else.
    Other,
}

/// Names of users and groups.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Users.
    #[serde(deserialize_with = "distinct")]
    pub users: BTreeMap<u32, String>,
    /// Groups.
    #[serde(deserialize_with = "distinct")]
    pub groups: BTreeMap<u32, String>,
}

/// What the version of every bundle begins with.
pub const FACTS_GROUP: &str = "facts.ringfort.dev/";

/// Says why a text is no bundle of facts.
#[derive(Debug, thiserror::Error)]
pub enum NotFacts {
    /// It is no JSON of this shape.
    #[error("these are no facts of a machine: {0}")]
    Shape(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("these are facts of {found}, and only {FACTS_API_VERSION} is read: gather them again")]
    Version {
        /// What it says it is.
        found: String,
    },
}

impl MachineFacts {
    /// Says whether a text means to be a bundle, however it goes on and whatever order its fields are in.
    pub fn claims(text: &str) -> bool {
        struct Head<'c>(&'c Cell<bool>);
        impl<'de> Visitor<'de> for Head<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
                while let Some(key) = map.next_key::<String>()? {
                    if key == "apiVersion" {
                        let version = map.next_value::<String>()?;
                        self.0.set(version.starts_with(FACTS_GROUP));
                        return Ok(());
                    }
                    map.next_value::<de::IgnoredAny>()?;
                }
                Ok(())
            }
        }
        let claims = Cell::new(false);
        // What comes behind the version is not looked at, so that this ends with an error either way.
        let mut reader = serde_json::Deserializer::from_str(text);
        drop(reader.deserialize_map(Head(&claims)));
        claims.get()
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// The text is none, or one of another version.
    pub fn read(text: &str) -> Result<Self, NotFacts> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            api_version: String,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.api_version != FACTS_API_VERSION {
            return Err(NotFacts::Version { found: head.api_version });
        }
        let read: Self = serde_json::from_str(text)?;
        match read.kind == FACTS_KIND {
            true => Ok(read),
            false => Err(NotFacts::Version { found: format!("the kind {}", read.kind) }),
        }
    }
}

/// Reads a map in which no key stands twice: of two, nobody can say which was meant.
fn distinct<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    struct Keys<K, V>(PhantomData<(K, V)>);
    impl<'de, K, V> Visitor<'de> for Keys<K, V>
    where
        K: Deserialize<'de> + Ord + fmt::Display,
        V: Deserialize<'de>,
    {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map in which no key stands twice")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut read = BTreeMap::new();
            while let Some(key) = map.next_key::<K>()? {
                if read.contains_key(&key) {
                    return Err(de::Error::custom(format!("{key} stands twice")));
                }
                read.insert(key, map.next_value()?);
            }
            Ok(read)
        }
    }
    deserializer.deserialize_map(Keys(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::MachineFacts;

    const GOOD: &str = r#"{"apiVersion":"facts.ringfort.dev/v1","kind":"MachineFacts","name":{"known":"a"},
        "components":{},"files":{"/a":"absent","/b":{"gap":{"at":"/b","why":"EACCES","closes":"root"}}},
        "below":{},"certificates":{},"kernel":{},"accounts":{"known":{"users":{"0":"root"},"groups":{}}}}"#;

    #[test]
    fn a_bundle_is_read_and_written_as_it_was() {
        let read = MachineFacts::read(GOOD).unwrap();
        let written = serde_json::to_string(&read).unwrap();
        assert!(MachineFacts::claims(&written) && MachineFacts::claims(GOOD));
        assert_eq!(MachineFacts::read(&written).unwrap(), read);
    }

    #[test]
    fn what_is_hostile_is_an_error_and_never_a_bundle() {
        for end in 0..GOOD.len() {
            assert!(MachineFacts::read(&GOOD[..end]).is_err(), "cut at {end}");
        }
        for (good, bad) in [
            ("\"/b\":", "\"/a\":"),
            ("\"kernel\":{}", "\"kernel\":{},\"kernel\":{}"),
            ("\"kernel\":{}", "\"kernel\":[]"),
            ("\"kernel\":{},", ""),
            ("\"kernel\":{}", "\"kernel\":{},\"more\":1"),
            ("\"absent\"", "\"missing\""),
            ("\"absent\"", "null"),
            ("/v1", "/v2"),
            ("MachineFacts", "Pod"),
            ("\"0\":\"root\"", "\"0\":\"root\",\"0\":\"other\""),
            ("{\"known\":\"a\"}", "{\"known\":\"a\",\"absent\":null}"),
        ] {
            let text = GOOD.replacen(good, bad, 1);
            assert_ne!(text, GOOD, "{good}");
            assert!(MachineFacts::read(&text).is_err(), "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(MachineFacts::read(&GOOD.replacen("\"absent\"", &deep, 1)).is_err());
        assert!(!MachineFacts::claims("{\"kind\":\"Pod\"}"));
    }

    #[test]
    fn a_bundle_is_known_wherever_it_says_what_it_is() {
        let version = r#""apiVersion":"facts.ringfort.dev/v1""#;
        for text in [
            format!("{{{version}"),
            format!("\n {{ \"accounts\": {{\"known\": [1, {{}}]}}, {version}, \"kind\": 1 }}"),
            format!("{{\"long\":{:?},{version},", "a".repeat(100_000)),
            GOOD.replacen("{\"apiVersion\":\"facts.ringfort.dev/v1\",", "{", 1).replacen(
                "\"below\"",
                &format!("{version},\"below\""),
                1,
            ),
        ] {
            assert!(MachineFacts::claims(&text), "{}", &text[..text.len().min(40)]);
        }
        for text in [
            String::new(),
            "apiVersion: facts.ringfort.dev/v1".to_owned(),
            format!("{{\"apiVersion\":\"v1\",{version}}}"),
            format!("{{\"below\":{{{version}}}}}"),
            format!("[{{{version}}}]"),
            format!("{{\"deep\":{}{version}", "[".repeat(100_000)),
        ] {
            assert!(!MachineFacts::claims(&text), "{}", &text[..text.len().min(40)]);
        }
    }
}
