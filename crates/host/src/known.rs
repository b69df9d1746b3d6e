//! Which host keys are accepted: those that the spec pins, or those of a known-hosts file.

use std::path::PathBuf;

use russh::Preferred;
use russh::keys::known_hosts::known_host_keys_path;
use russh::keys::ssh_key::{Algorithm, HashAlg, PublicKey};
use russh::keys::{Error, check_known_hosts_path};

use crate::{Door, DoorError};

/// The host keys that are accepted for one machine.
#[derive(Clone, Debug)]
pub enum HostKeys {
    /// These, in OpenSSH's format (`ssh-ed25519 AAAA…`).
    Pinned(Vec<String>),
    /// Those that a known-hosts file holds for the machine.
    File(PathBuf),
}

/// Gives the kinds of host keys to ask a machine for: those first of which it has a known one, or a machine with
/// several keys would show another than the one that is known. RSA is none of them: this program cannot check it.
pub(crate) fn algorithms(door: &Door) -> Vec<Algorithm> {
    let known: Vec<Algorithm> = match &door.host_keys {
        HostKeys::Pinned(pinned) => {
            let keys = pinned.iter().filter_map(|text| PublicKey::from_openssh(text).ok());
            keys.map(|key| key.algorithm()).collect()
        }
        // A file that cannot be read is told when the machine's key is looked for in it.
        HostKeys::File(path) => known_host_keys_path(&door.address.to_string(), door.port, path)
            .unwrap_or_default()
            .iter()
            .map(|(_, key)| key.algorithm())
            .collect(),
    };
    let preferred = Preferred::DEFAULT;
    let all = preferred.key.iter().filter(|kind| !matches!(kind, Algorithm::Rsa { .. }));
    let (first, last): (Vec<_>, Vec<_>) = all.cloned().partition(|kind| known.contains(kind));
    first.into_iter().chain(last).collect()
}

/// Says whether a machine's key is accepted.
pub(crate) fn check(door: &Door, key: &PublicKey) -> Result<(), DoorError> {
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    let address = door.address;
    match &door.host_keys {
        HostKeys::Pinned(pinned) => {
            let same = |text: &String| {
                PublicKey::from_openssh(text).is_ok_and(|pin| pin.key_data() == key.key_data())
            };
            let file = "ssh.hostKeys".to_owned();
            match pinned.iter().any(same) {
                true => Ok(()),
                false => Err(DoorError::WrongHostKey { address, fingerprint, file }),
            }
        }
        HostKeys::File(path) => {
            let file = path.display().to_string();
            match check_known_hosts_path(&address.to_string(), door.port, key, path) {
                Ok(true) => Ok(()),
                Ok(false) => Err(DoorError::UnknownHostKey { address, fingerprint, file }),
                Err(Error::KeyChanged { .. }) => {
                    Err(DoorError::WrongHostKey { address, fingerprint, file })
                }
                Err(other) => Err(DoorError::Broken { address, why: other.to_string() }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use russh::keys::ssh_key::PublicKey;

    use super::{Algorithm, HostKeys, algorithms, check};
    use crate::{Door, DoorError, Sudo, Transport};

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn door(host_keys: HostKeys) -> Door {
        Door {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            port: 22,
            user: "root".to_owned(),
            identity: None,
            host_keys,
            sudo: Sudo::No,
            transport: Transport::Builtin,
        }
    }

    #[test]
    fn only_the_pinned_key_is_accepted() {
        let key = PublicKey::from_openssh(ONE).unwrap();
        assert!(check(&door(HostKeys::Pinned(vec![ONE.to_owned()])), &key).is_ok());
        let wrong = check(&door(HostKeys::Pinned(vec![OTHER.to_owned()])), &key);
        assert!(matches!(wrong, Err(DoorError::WrongHostKey { .. })));
        let none = check(&door(HostKeys::Pinned(vec![])), &key);
        assert!(matches!(none, Err(DoorError::WrongHostKey { .. })));
    }

    #[test]
    fn a_machine_is_asked_for_the_kind_of_key_that_is_known() {
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMHYJuewmr5vdSa1IQHwMe6nbmZyAsxx6STYR9E9qxDCKhlfXKUVNxDUawGlFXI36f950+7Hq4JhfEBsD9f2etE=";
        let first = |host_keys| algorithms(&door(host_keys))[0].to_string();
        let pinned = |key: &str| HostKeys::Pinned(vec![key.to_owned()]);
        assert_eq!(first(pinned(ONE)), "ssh-ed25519");
        assert_eq!(first(pinned(ecdsa)), "ecdsa-sha2-nistp256");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_hosts");
        assert_eq!(first(HostKeys::File(path.clone())), "ssh-ed25519");
        std::fs::write(&path, format!("10.0.0.2 {ONE}\n10.0.0.1 {ecdsa}\n")).unwrap();
        assert_eq!(first(HostKeys::File(path)), "ecdsa-sha2-nistp256");
        // Another key is still seen, and refused by its name.
        let all = algorithms(&door(pinned(ecdsa)));
        assert_eq!(all.len(), 4, "{all:?}");
        assert!(!all.iter().any(|kind| matches!(kind, Algorithm::Rsa { .. })), "{all:?}");
    }

    #[test]
    fn a_known_hosts_file_knows_unknown_from_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_hosts");
        let key = PublicKey::from_openssh(ONE).unwrap();
        let look = |content: &str| {
            std::fs::write(&path, content).unwrap();
            check(&door(HostKeys::File(path.clone())), &key)
        };
        assert!(look(&format!("10.0.0.1 {ONE}\n")).is_ok());
        assert!(matches!(look(""), Err(DoorError::UnknownHostKey { .. })));
        assert!(matches!(
            look(&format!("10.0.0.1 {OTHER}\n")),
            Err(DoorError::WrongHostKey { .. })
        ));
    }
}
