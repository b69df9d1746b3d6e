//! What some detections have to be told: addresses, names and who may change what. Each is a file of its own; a
//! detection whose file is not there is not asked, and says which one it is.

mod changes;
mod ranges;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ringfort_model::image::is_from;

use self::changes::Changes;
pub use self::changes::{Change, read as read_changes};
pub(crate) use self::changes::{Made, Unmeant};
use self::ranges::Ranges;
use crate::engine::matches;
use crate::node::Node;
use crate::paths::Access;

/// A file that some detection has to be told.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Feed {
    /// Addresses from which Tor goes out.
    TorExits,
    /// Addresses that somebody warns of.
    ListedAddresses,
    /// Networks in which the cluster's machines and pods are.
    ClusterNetworks,
    /// The addresses of the cluster's machines.
    Machines,
    /// Where images may come from.
    Registries,
    /// The namespaces that there should be.
    Namespaces,
    /// The namespaces in which only controllers make pods.
    ControlledNamespaces,
    /// Who may act as others without a constraint.
    Impersonators,
    /// Objects that nobody has a reason to touch.
    Decoys,
    /// Roles and bindings that there are.
    Access,
    /// Who may change what, and when.
    Changes,
}

impl Feed {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::TorExits,
        Self::ListedAddresses,
        Self::ClusterNetworks,
        Self::Machines,
        Self::Registries,
        Self::Namespaces,
        Self::ControlledNamespaces,
        Self::Impersonators,
        Self::Decoys,
        Self::Access,
        Self::Changes,
    ];

    /// The name of its file.
    pub fn file(self) -> &'static str {
        match self {
            Self::TorExits => "tor-exits.txt",
            Self::ListedAddresses => "listed-addresses.txt",
            Self::ClusterNetworks => "cluster-networks.txt",
            Self::Machines => "machines.txt",
            Self::Registries => "registries.txt",
            Self::Namespaces => "namespaces.txt",
            Self::ControlledNamespaces => "controlled-namespaces.txt",
            Self::Impersonators => "impersonators.txt",
            Self::Decoys => "decoys.txt",
            Self::Access => "access.json",
            Self::Changes => "changes.yaml",
        }
    }

    /// What stands on a line of it.
    pub fn line(self) -> &'static str {
        match self {
            Self::TorExits | Self::ListedAddresses | Self::ClusterNetworks => {
                "an address, or a range such as 10.0.0.0/8"
            }
            Self::Machines => "an address",
            Self::Registries => {
                "a registry or the beginning of a name, such as registry.example.org/shop"
            }
            Self::Namespaces | Self::ControlledNamespaces => {
                "a namespace; a * at the end stands for any rest"
            }
            Self::Impersonators => "a user; a * at the end stands for any rest",
            Self::Decoys => {
                "a resource and a name, such as `secrets shop/backup-key` or `clusterroles root`"
            }
            Self::Access => {
                "what `kubectl get clusterroles,roles,clusterrolebindings,rolebindings -A -o json` prints"
            }
            Self::Changes => "a list of changes, which are read apart",
        }
    }
}

/// Says what is wrong with a line.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WrongLine {
    /// The line is none.
    #[error("line {line}: {text:?} is not {wanted}")]
    Shape {
        /// Its number.
        line: usize,
        /// What stands there.
        text: String,
        /// What should.
        wanted: &'static str,
    },
    /// There is no line.
    #[error("it names nothing, where there should be {wanted}")]
    Nothing {
        /// What should stand there.
        wanted: &'static str,
    },
    /// A list goes on elsewhere.
    #[error(
        "it is one page of a list that goes on, and what is on the others would look new: write there {wanted}, whole, \
         without --raw and limit"
    )]
    Page {
        /// What should stand there.
        wanted: &'static str,
    },
}

impl WrongLine {
    fn of(line: usize, text: &str, wanted: &'static str) -> Self {
        Self::Shape { line, text: text.chars().take(100).collect(), wanted }
    }
}

/// What detections were told.
#[derive(Debug, Default)]
pub struct Feeds {
    tor_exits: Option<Ranges>,
    listed_addresses: Option<Ranges>,
    cluster_networks: Option<Ranges>,
    machines: Option<BTreeSet<IpAddr>>,
    registries: Option<Vec<String>>,
    namespaces: Option<Vec<String>>,
    controlled_namespaces: Option<Vec<String>>,
    impersonators: Option<Vec<String>>,
    decoys: Option<Vec<Decoy>>,
    access: Option<Access>,
    changes: Option<Changes>,
}

#[derive(Debug, Eq, PartialEq)]
struct Decoy {
    resource: String,
    namespace: String,
    name: String,
}

impl Feeds {
    /// Reads a feed of lines, which changes are not. What stands behind a `#` is for people.
    ///
    /// # Errors
    /// A line is not what it should be, or there is none.
    pub fn read(&mut self, feed: Feed, text: &str) -> Result<(), WrongLine> {
        let wanted = feed.line();
        if feed == Feed::Access {
            return self.read_access(text);
        }
        let lines = text.lines().enumerate().filter_map(|(number, line)| {
            let said = line.split('#').next().unwrap_or_default().trim();
            (!said.is_empty()).then_some((number + 1, said))
        });
        let lines: Vec<(usize, &str)> = lines.collect();
        if lines.is_empty() {
            return Err(WrongLine::Nothing { wanted });
        }
        let wrong = |(line, text): (usize, &str)| WrongLine::of(line, text, wanted);
        let ranges = || Ranges::read(&lines).map_err(wrong).map(Some);
        let words = || {
            let one = |at: &(usize, &str)| match at.1.contains(char::is_whitespace) {
                true => Err(wrong(*at)),
                false => Ok(at.1.to_owned()),
            };
            lines.iter().map(one).collect::<Result<Vec<_>, _>>().map(Some)
        };
        match feed {
            Feed::TorExits => self.tor_exits = ranges()?,
            Feed::ListedAddresses => self.listed_addresses = ranges()?,
            Feed::ClusterNetworks => self.cluster_networks = ranges()?,
            Feed::Machines => {
                let one = |at: &(usize, &str)| {
                    at.1.parse().map(|it: IpAddr| it.to_canonical()).map_err(|_| wrong(*at))
                };
                self.machines = Some(lines.iter().map(one).collect::<Result<_, _>>()?);
            }
            Feed::Registries => self.registries = words()?,
            Feed::Namespaces => self.namespaces = words()?,
            Feed::ControlledNamespaces => self.controlled_namespaces = words()?,
            Feed::Impersonators => self.impersonators = words()?,
            Feed::Decoys => {
                let one = |at: &(usize, &str)| Decoy::read(at.1).ok_or_else(|| wrong(*at));
                self.decoys = Some(lines.iter().map(one).collect::<Result<Vec<_>, _>>()?);
            }
            Feed::Access | Feed::Changes => return Err(WrongLine::Nothing { wanted }),
        }
        Ok(())
    }

    fn read_access(&mut self, text: &str) -> Result<(), WrongLine> {
        let wanted = Feed::Access.line();
        let list: Node<'_> = serde_json::from_str(text).map_err(|error| {
            let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            WrongLine::of(error.line(), line, wanted)
        })?;
        if !list.along(&["metadata", "continue"]).text().is_empty() {
            return Err(WrongLine::Page { wanted });
        }
        self.access = Some(Access::of(&list).ok_or(WrongLine::Nothing { wanted })?);
        Ok(())
    }

    /// Takes who may change what, see [`read_changes`].
    ///
    /// # Errors
    /// Nobody may change anything, which nobody means.
    pub fn allow(&mut self, changes: Vec<Change>) -> Result<(), WrongLine> {
        if changes.is_empty() {
            return Err(WrongLine::Nothing { wanted: Feed::Changes.line() });
        }
        self.changes = Some(Changes(changes));
        Ok(())
    }

    /// Whether a feed was read.
    pub fn has(&self, feed: Feed) -> bool {
        match feed {
            Feed::TorExits => self.tor_exits.is_some(),
            Feed::ListedAddresses => self.listed_addresses.is_some(),
            Feed::ClusterNetworks => self.cluster_networks.is_some(),
            Feed::Machines => self.machines.is_some(),
            Feed::Registries => self.registries.is_some(),
            Feed::Namespaces => self.namespaces.is_some(),
            Feed::ControlledNamespaces => self.controlled_namespaces.is_some(),
            Feed::Impersonators => self.impersonators.is_some(),
            Feed::Decoys => self.decoys.is_some(),
            Feed::Access => self.access.is_some(),
            Feed::Changes => self.changes.is_some(),
        }
    }

    pub(crate) fn is_tor_exit(&self, address: IpAddr) -> bool {
        self.tor_exits.as_ref().is_some_and(|ranges| ranges.contains(address))
    }

    pub(crate) fn is_listed(&self, address: IpAddr) -> bool {
        self.listed_addresses.as_ref().is_some_and(|ranges| ranges.contains(address))
    }

    /// Whether an address is known to be outside the cluster.
    pub(crate) fn is_outside(&self, address: IpAddr) -> bool {
        self.cluster_networks.as_ref().is_some_and(|ranges| !ranges.contains(address))
    }

    /// Whether an address is known to be that of a machine of the cluster.
    pub(crate) fn is_machine(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.machines.as_ref().is_some_and(|machines| machines.contains(&address))
    }

    /// Whether an address is known to be inside the cluster: a machine's, or of its networks.
    pub(crate) fn is_inside(&self, address: IpAddr) -> bool {
        let ranges = self.cluster_networks.as_ref();
        self.is_machine(address) || ranges.is_some_and(|ranges| ranges.contains(address))
    }

    /// Whether an image is known to be from elsewhere.
    pub(crate) fn is_unlisted_image(&self, image: &str) -> bool {
        let Some(registries) = &self.registries else { return false };
        !registries.iter().any(|listed| is_from(image, listed))
    }

    pub(crate) fn is_unlisted_namespace(&self, name: &str) -> bool {
        let Some(namespaces) = &self.namespaces else { return false };
        !namespaces.iter().any(|listed| matches(listed, name))
    }

    /// Whether only controllers are meant to make pods in a namespace.
    pub(crate) fn is_controlled(&self, namespace: &str) -> bool {
        let listed = self.controlled_namespaces.iter().flatten();
        listed.into_iter().any(|listed| matches(listed, namespace))
    }

    /// Whether a user is known to act as others only within constraints.
    pub(crate) fn is_constrained(&self, user: &str) -> bool {
        let Some(impersonators) = &self.impersonators else { return false };
        !impersonators.iter().any(|listed| matches(listed, user))
    }

    pub(crate) fn is_decoy(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let is =
            |it: &Decoy| it.resource == resource && it.namespace == namespace && it.name == name;
        self.decoys.as_ref().is_some_and(|decoys| decoys.iter().any(is))
    }

    /// Gives the roles and bindings that there are.
    pub(crate) fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    pub(crate) fn changes(&self) -> Option<&Changes> {
        self.changes.as_ref()
    }
}

impl Decoy {
    fn read(line: &str) -> Option<Self> {
        let (resource, place) = line.split_once(char::is_whitespace)?;
        let place = place.trim_start();
        let (namespace, name) = place.split_once('/').unwrap_or(("", place));
        let is_word = |word: &str| !word.is_empty() && !word.contains([' ', '\t', '/']);
        (is_word(name) && (namespace.is_empty() || is_word(namespace)) && !place.starts_with('/'))
            .then(|| Self {
                resource: resource.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::{Feed, Feeds, WrongLine};

    fn read(feed: Feed, text: &str) -> Feeds {
        let mut feeds = Feeds::default();
        feeds.read(feed, text).unwrap();
        feeds
    }

    #[test]
    fn what_was_not_told_says_nothing() {
        let feeds = Feeds::default();
        let address = "198.51.100.7".parse().unwrap();
        assert!(!feeds.is_tor_exit(address) && !feeds.is_listed(address));
        assert!(!feeds.is_outside(address) && !feeds.is_machine(address));
        assert!(!feeds.is_inside(address));
        assert!(!feeds.is_unlisted_image("a"));
        assert!(!feeds.is_unlisted_namespace("a") && !feeds.is_decoy("secrets", "a", "b"));
        assert!(Feed::ALL.iter().all(|feed| !feeds.has(*feed)));
    }

    #[test]
    fn inside_are_machines_and_networks_of_the_cluster() {
        let check = |feed: Feed, text: &str, inside: &str, outside: &str| {
            let feeds = read(feed, text);
            assert!(feeds.is_inside(inside.parse().unwrap()), "{inside}");
            assert!(!feeds.is_inside(outside.parse().unwrap()), "{outside}");
        };
        check(Feed::Machines, "2001:db8::11\n", "2001:db8::11", "2001:db8::12");
        check(Feed::Machines, "192.0.2.11\n", "::ffff:192.0.2.11", "192.0.2.12");
        check(Feed::ClusterNetworks, "2001:db8:1::/56\n", "2001:db8:1:2::5", "2001:db8::11");
    }

    #[test]
    fn a_decoy_is_one_object() {
        let feeds = read(Feed::Decoys, "secrets shop/backup-key\r\nclusterroles  root\r\n");
        assert!(feeds.is_decoy("secrets", "shop", "backup-key"));
        assert!(feeds.is_decoy("clusterroles", "", "root"));
        assert!(!feeds.is_decoy("secrets", "web", "backup-key"));
        assert!(!feeds.is_decoy("configmaps", "shop", "backup-key"));
    }

    #[test]
    fn what_is_no_line_is_told_and_nothing_is_taken() {
        let wrong = [
            (Feed::TorExits, "198.51.100.7\n198.51.100.300\n", 2),
            (Feed::ClusterNetworks, "10.0.0.1/8", 1),
            (Feed::Machines, "10.0.0.0/24", 1),
            (Feed::Registries, "# a\na b", 2),
            (Feed::Decoys, "secrets", 1),
            (Feed::Decoys, "secrets a/b/c", 1),
            (Feed::Decoys, "secrets /b", 1),
            (Feed::Access, "{\n\"items\": [}", 2),
        ];
        for (feed, text, at) in wrong {
            let mut feeds = Feeds::default();
            let error = feeds.read(feed, text).unwrap_err();
            assert!(
                matches!(error, WrongLine::Shape { line, .. } if line == at),
                "{text}: {error}"
            );
            assert!(!feeds.has(feed));
        }
        let nothing = Feeds::default().read(Feed::Namespaces, "# none\n\n");
        assert!(matches!(nothing, Err(WrongLine::Nothing { .. })));
        // A list of something else is no mistake of one line.
        let pods = Feeds::default().read(Feed::Access, r#"{"items":[{"kind":"Pod"}]}"#);
        assert!(matches!(pods, Err(WrongLine::Nothing { .. })));
        let list = |more: &str| {
            let role = r#"{"kind":"Role","metadata":{"name":"r"},"rules":[]}"#;
            format!(r#"{{"metadata":{{"continue":"{more}"}},"items":[{role}]}}"#)
        };
        assert_eq!(Feeds::default().read(Feed::Access, &list("")), Ok(()));
        let page = Feeds::default().read(Feed::Access, &list("eyJ2"));
        assert!(matches!(page, Err(WrongLine::Page { .. })));
    }
}
