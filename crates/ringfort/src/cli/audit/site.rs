//! What a `cluster.yaml` says of logs, with the files that it names: read and tried here, so that nothing reaches a
//! machine that its units could not read.

use std::path::{Path, PathBuf};

use ringfort_audit::feeds::{Feed, Feeds, read_changes};
use ringfort_audit::own;
use ringfort_controls::audit::site::{FEEDS, OWN, SYSLOG_CA, SiteFiles, WAIVERS, WEBHOOK_CA};
use ringfort_controls::yaml;
use ringfort_model::digest::Digest;
use ringfort_model::secret::Secret;
use ringfort_spec::{Over, Spec, on_disk};
use ringfort_store::os::{PATIENCE, Tls};
use serde_json::json;

use super::asked::{Asking, feed_files};
use super::receivers::token;
use super::written;
use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// What a site adds, and the token of the webhook that findings are sent to.
#[derive(Default)]
pub struct SiteOfLogs {
    /// What goes to control planes in the open.
    pub files: SiteFiles,
    /// The secret that goes there.
    pub token: Option<Secret<String>>,
}

/// The least length of a token, in characters. Its digest stands in the blueprint, and would tell a short one.
const LEAST_TOKEN: usize = 32;

/// Reads what a spec names, and tries it as the units of control planes would.
///
/// # Errors
/// A file cannot be read, or what stands in it is wrong: where and why.
pub fn read(spec: &Spec, home: &Path, beside: &Path) -> Result<SiteOfLogs, Fault> {
    let audit = &spec.audit;
    let at = |written: &PathBuf| on_disk(written, home, beside);
    let mut site = SiteOfLogs::default();
    let asking = Asking::of(
        audit.feeds.as_ref().map(at),
        audit.own.as_ref().map(at),
        audit.waivers.as_ref().map(at),
    );
    // Wrong waivers are told after what they are about, so that a detection of people's own may be waived.
    asking.read(&[])?;
    if let Some(directory) = &asking.feeds {
        for (feed, file) in feed_files(directory)? {
            if feed == Feed::Machines {
                let why = "machines follow from cluster.yaml: remove it";
                return Err(Fault::usage(Unread::of(&file, &why)));
            }
            site.put(&format!("{FEEDS}/{}", feed.file()), &file)?;
        }
    }
    if let Some(file) = &asking.own {
        site.files.own = written::read(file, "detection", own::read)?;
        site.put(OWN, file)?;
    }
    if let Some(file) = &asking.waivers {
        site.put(WAIVERS, file)?;
    }
    site.changes(spec)?;
    site.receivers(spec, &at)?;
    Ok(site)
}

impl SiteOfLogs {
    fn put(&mut self, place: &str, file: &Path) -> Result<String, Fault> {
        let text = files::text(file).map_err(Fault::usage)?;
        self.files.texts.insert(place.to_owned(), text.clone());
        Ok(text)
    }

    /// Who may change what is said in one place: here, or among the feeds.
    fn changes(&mut self, spec: &Spec) -> Result<(), Fault> {
        if spec.audit.changes.is_empty() {
            return Ok(());
        }
        let place = format!("{FEEDS}/{}", Feed::Changes.file());
        if self.files.texts.contains_key(&place) {
            return Err(Fault::usage(format!(
                "audit.changes and {} among audit.feeds both say who may change what: keep one of them",
                Feed::Changes.file()
            )));
        }
        let document = json!({ "changes": spec.audit.changes });
        let unread = |why: String| Fault::usage(format!("audit.changes: {why}"));
        let changes = read_changes(&document).map_err(|unclear| {
            let all = unclear.iter().map(|it| format!("{}: {}", it.pointer, it.why));
            unread(all.collect::<Vec<_>>().join("; "))
        })?;
        Feeds::default().allow(changes).map_err(|error| unread(error.to_string()))?;
        self.files.texts.insert(place, yaml::document(&document));
        Ok(())
    }

    fn receivers(&mut self, spec: &Spec, at: &dyn Fn(&PathBuf) -> PathBuf) -> Result<(), Fault> {
        let tell = &spec.audit.tell;
        if let Some(webhook) = &tell.webhook {
            self.authorities(WEBHOOK_CA, &webhook.url.host, &at(&webhook.ca))?;
            if let Some(file) = webhook.token.as_ref().map(at) {
                let token = token(&file)?;
                if token.expose().len() < LEAST_TOKEN {
                    let why = format!("the token is shorter than {LEAST_TOKEN} characters");
                    return Err(Fault::usage(Unread::of(&file, &why)));
                }
                self.files.token = Some(Digest::of(token.expose().as_bytes()));
                self.token = Some(token);
            }
        }
        match tell.syslog.as_ref().map(|syslog| &syslog.over) {
            Some(Over::Tls { name, ca }) => self.authorities(SYSLOG_CA, name, &at(ca)),
            Some(Over::Udp) | None => Ok(()),
        }
    }

    fn authorities(&mut self, place: &str, name: &str, file: &Path) -> Result<(), Fault> {
        let text = self.put(place, file)?;
        let known = Tls::new(name, &text, PATIENCE);
        known.map(drop).map_err(|error| Fault::usage(Unread::of(file, &error)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use ringfort_model::certificate::Authority;
    use ringfort_pki::Ca;

    use super::{SiteOfLogs, read};
    use crate::cli::specification::sample;

    const ALL: &str = "audit:\n  feeds: feeds\n  own: own.yaml\n  waivers: waivers.yaml\n  changes: [{ who: [ann], what: ['*'] }]\n  \
                       tell: { webhook: { url: 'https://10.0.0.50/', ca: ca.pem, token: token } }\n";
    const OWN: &str = "detections:\n- { id: own/a, title: t, severity: low, because: b, needs: [{ resources: [pods/exec] }], \
                       where: 'true', examples: { found: [[{ verb: get, of: ':pods/exec a/b' }]], \
                       quiet: [[{ verb: get, of: ':pods a/b' }]] } }\n";
    const WAIVER: &str =
        "waivers:\n- { detection: own/a, user: ann, reason: r, owner: o, expires: 2999-01-01 }\n";
    const TOKEN: &str = "hidden-hidden-hidden-hidden-hidden";

    /// A directory with all files that are named.
    fn beside() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        fs::create_dir(at.join("feeds")).unwrap();
        let ca = Ca::make(Authority::Cluster, 1_800_000_000).unwrap().facts().unwrap();
        for (name, text) in [
            ("feeds/decoys.txt", "secrets shop/backup-key\n"),
            ("own.yaml", OWN),
            ("waivers.yaml", WAIVER),
            ("ca.pem", &ca.certificate_pem),
            ("token", TOKEN),
        ] {
            fs::write(at.join(name), text).unwrap();
        }
        fs::set_permissions(at.join("token"), PermissionsExt::from_mode(0o600)).unwrap();
        directory
    }

    fn told(at: &Path, more: &str) -> Result<SiteOfLogs, String> {
        read(&sample(more), at, at).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_is_named_goes_to_control_planes_and_the_token_only_by_its_digest() {
        let directory = beside();
        let site = told(directory.path(), ALL).unwrap();
        let places: Vec<&str> = site.files.texts.keys().map(String::as_str).collect();
        let below = |name: &str| format!("/etc/kubernetes/audit-site/{name}");
        let wanted = [
            "feeds/changes.yaml",
            "feeds/decoys.txt",
            "own.yaml",
            "waivers.yaml",
            "webhook-ca.pem",
        ];
        assert_eq!(places, wanted.map(below));
        assert_eq!(site.files.own.len(), 1);
        assert_eq!(site.token.unwrap().expose(), TOKEN);
        assert!(site.files.token.is_some() && !format!("{:?}", site.files).contains("hidden"));
        assert!(site.files.texts[&below("feeds/changes.yaml")].contains("ann"));
        assert!(told(directory.path(), "").unwrap().files.texts.is_empty());
    }

    #[test]
    fn what_a_machine_could_not_read_is_told_before_anything_is_done() {
        let check = |file: &str, text: &str, says: &str| {
            let directory = beside();
            fs::write(directory.path().join(file), text).unwrap();
            let why = told(directory.path(), ALL).err().unwrap_or_default();
            assert!(why.contains(says) && !why.contains("hidden"), "{file}: {why}");
        };
        check("feeds/decoys.txt", "secrets", "decoys.txt");
        check("feeds/more.txt", "a", "more.txt is no feed");
        check("feeds/machines.txt", "10.0.0.99\n", "machines.txt");
        check("feeds/changes.yaml", "changes: [{ who: [a], what: ['*'] }]", "keep one of them");
        check("own.yaml", &OWN.replace("'true'", "'false'"), "finds nothing");
        check("waivers.yaml", &WAIVER.replace("own/a", "own/b"), "own/b");
        check("ca.pem", "none", "no certificate of an authority");
        check("token", "hidden", "shorter than 32");
        let directory = beside();
        fs::set_permissions(directory.path().join("token"), PermissionsExt::from_mode(0o644))
            .unwrap();
        assert!(told(directory.path(), ALL).err().unwrap().contains("chmod 600"));
        fs::remove_file(directory.path().join("own.yaml")).unwrap();
        assert!(told(directory.path(), ALL).err().unwrap().contains("own.yaml"));
    }
}
