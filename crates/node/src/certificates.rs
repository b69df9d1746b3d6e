//! Looks for certificates where a cluster's files lie, and says whom each speaks for.

use std::io;

use ringfort_facts::certificate::read;
use ringfort_model::act::CertFile;

use crate::papers::{blocks, each_text};
use crate::root::Root;

const BEGINS: &str = "-----BEGIN CERTIFICATE-----";

/// Finds every certificate.
///
/// # Errors
/// A directory or a file could not be read: what was not looked at may be a certificate.
pub fn look(root: &Root) -> io::Result<Vec<CertFile>> {
    let mut found = each_text(root, |path, text| {
        let one = |block: &str| CertFile {
            path: path.to_owned(),
            certificate: read(block.as_bytes()).ok(),
        };
        blocks(text, |first| first == BEGINS).into_iter().map(one).collect()
    })?;
    found.sort_by(|one: &CertFile, other| one.path.cmp(&other.path));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::look;
    use crate::root::Root;

    #[test]
    fn certificates_are_found_in_files_chains_and_kubeconfigs() {
        let of = |group: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::OrganizationName, group);
            params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
        };
        let directory = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("etc/kubernetes/pki/chain.crt", &format!("{}{}", of("first"), of("second")));
        let inside = STANDARD.encode(of("system:masters"));
        put("root/.kube/config", &format!("    client-certificate-data: {inside}\n"));
        put("tmp/odd.crt", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
        let found = look(&Root::new(directory.path())).unwrap();
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                let groups = one.certificate.as_ref().map(|it| it.subject.organizations.clone());
                let groups = groups.map(|all| all.into_iter().collect::<Vec<_>>().join(","));
                format!("{} {}", one.path, groups.unwrap_or_else(|| "unread".to_owned()))
            })
            .collect();
        let expected = [
            "/etc/kubernetes/pki/chain.crt first",
            "/etc/kubernetes/pki/chain.crt second",
            "/root/.kube/config system:masters",
            "/tmp/odd.crt unread",
        ];
        assert_eq!(told, expected);
    }
}
