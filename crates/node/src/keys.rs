//! Looks for private keys where a cluster's files lie. Only their public halves leave the machine.

use std::io;

use ringfort_model::act::KeyFile;
use ringfort_pki::public_half;

use crate::papers::{blocks, each_text};
use crate::root::Root;

/// What a key begins with, but for the kind that only SSH reads.
const BEGINS: &str = "PRIVATE KEY-----";
const SSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";

/// Finds every private key.
///
/// # Errors
/// A directory or a file could not be read: what was not looked at may be a key.
pub fn look(root: &Root) -> io::Result<Vec<KeyFile>> {
    let mut found = each_text(root, |path, text| {
        let is_key = |first: &str| first.ends_with(BEGINS) && first != SSH;
        let key = |block| KeyFile { path: path.to_owned(), public_key: public_half(block) };
        blocks(text, is_key).into_iter().map(key).collect()
    })?;
    found.sort_by(|one: &KeyFile, other| one.path.cmp(&other.path));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ringfort_pki::PrivateKey;

    use super::look;
    use crate::root::Root;

    #[test]
    fn keys_are_found_wherever_they_were_left_and_only_their_public_halves_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let key = PrivateKey::make().unwrap();
        let put = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("root/backup/notes.txt", &format!("kept here:\n{}", key.pem().expose()));
        put(
            "etc/kubernetes/pki/ca.crt",
            "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
        );
        put(
            "etc/kubernetes/odd.key",
            "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----\n",
        );
        let inside = STANDARD.encode(key.pem().expose());
        put("root/.kube/config", &format!("users:\n- user:\n    client-key-data: {inside}\n"));
        put("root/.kube/config.json", &format!("{{\"client-key-data\":\"{inside}\"}}"));
        put("var/lib/kubelet/pods/1/key", key.pem().expose());
        let found = look(&Root::new(directory.path())).unwrap();
        let paths: Vec<&str> = found.iter().map(|key| key.path.as_str()).collect();
        let expected = [
            "/etc/kubernetes/odd.key",
            "/root/.kube/config",
            "/root/.kube/config.json",
            "/root/backup/notes.txt",
        ];
        assert_eq!(paths, expected);
        assert_eq!(found[0].public_key, None);
        for one in &found[1..] {
            assert_eq!(one.public_key.as_ref(), Some(&key.public().id), "{}", one.path);
        }
    }
}
