use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::os::look::Pace;

const UID: &str = "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";
const SIGNATURE: &str = "c2lnbmVk";
const VOLUME: &str = "kube-api-access-x7k2p";

/// A machine with one container of one pod.
struct Site {
    directory: tempfile::TempDir,
    root: Root,
    workloads: Workloads,
    now: Instant,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path(), Pace::free()).unwrap();
        let (workloads, now) = (Workloads::default(), Instant::now());
        let site = Self { directory, root, workloads, now };
        site.put(&config(&id()), config_of(UID).as_bytes());
        fs::create_dir_all(site.at(&format!("{PODS}/{UID}/volumes"))).unwrap();
        site
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(&path[1..])
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, bytes).unwrap();
    }

    /// Fills a projected volume as a kubelet does.
    fn mount(&self, volume: &str, token: &[u8]) {
        let at = projected(volume);
        self.put(&format!("{at}/..2026_11_30/token"), token);
        symlink("..2026_11_30", self.at(&format!("{at}/..data"))).unwrap();
        symlink("..data/token", self.at(&format!("{at}/token"))).unwrap();
    }

    fn look(&mut self) -> Workload {
        let place = Place { pod: Some(UID.to_owned()), container: Some(id()), ..Place::default() };
        self.workloads.of(&mut self.root, &place, self.now).unwrap()
    }

    fn account(&mut self) -> Account {
        match self.look() {
            Workload::Named(names) => names.account,
            Workload::Unknown(why) => panic!("{why}"),
        }
    }

    fn check_unknown(&mut self, expected: &str) {
        let Workload::Unknown(why) = self.look() else { panic!("it is named: {expected}") };
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains("a secret"), "{why}");
        self.now += AGAIN;
    }

    fn check_account_unknown(&mut self, expected: &str) {
        let Account::Unknown(why) = self.account() else { panic!("it is named: {expected}") };
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains(SIGNATURE) && !why.contains("eyJ"), "{why}");
        self.now += AGAIN;
    }
}

fn id() -> String {
    "ab".repeat(32)
}

fn config(id: &str) -> String {
    format!("{CONTAINERS}/{id}/config.json")
}

fn config_of(uid: &str) -> String {
    let annotations = json!({
        "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.sandbox-name": "web-7",
        "io.kubernetes.cri.sandbox-uid": uid, "io.kubernetes.cri.container-name": "app",
    });
    json!({ "process": { "env": ["A=a secret"] }, "annotations": annotations }).to_string()
}

fn projected(volume: &str) -> String {
    format!("{PODS}/{UID}/volumes/kubernetes.io~projected/{volume}")
}

fn token(namespace: &str, name: &str) -> Vec<u8> {
    let claims = json!({
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "kubernetes.io": {
            "namespace": namespace, "pod": { "name": "web-7", "uid": UID },
            "serviceaccount": { "name": name, "uid": "7" },
        },
    });
    let (head, claims) = (URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{head}.{claims}.{SIGNATURE}").into_bytes()
}

#[test]
fn a_pod_is_named_with_its_account_also_when_it_is_gone() {
    let mut site = Site::new();
    site.mount(VOLUME, &token("shop", "web"));
    let named = site.look();
    assert_eq!(named.text(), "pod shop/web-7, container app, account shop:web by its token");
    let written = format!("{named:?} {}", serde_json::to_string(&named).unwrap());
    assert!(!written.contains(SIGNATURE) && !written.contains("a secret"), "{written}");
    fs::remove_dir_all(site.at("/run")).unwrap();
    fs::remove_dir_all(site.at("/var")).unwrap();
    site.now += AGAIN * 100;
    assert_eq!(site.look(), named);
}

#[test]
fn what_could_not_be_said_is_asked_again_and_what_was_said_stays() {
    let mut site = Site::new();
    fs::remove_file(site.at(&config(&id()))).unwrap();
    let Workload::Unknown(why) = site.look() else { panic!("it is not there") };
    assert!(why.contains("config.json"), "{why}");
    site.put(&config(&id()), config_of(UID).as_bytes());
    assert!(matches!(site.look(), Workload::Unknown(_)), "it was asked a moment ago");
    site.now += AGAIN;
    fs::create_dir_all(site.at(&projected(VOLUME))).unwrap();
    site.check_account_unknown("not filled");
    fs::remove_dir_all(site.at("/run")).unwrap();
    site.check_account_unknown("not filled");
}

#[test]
fn a_process_in_no_pod_has_no_names_and_one_in_no_container_is_told_so() {
    let mut site = Site::new();
    let mut of = |pod: Option<&str>, container: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let place = Place { pod: owned(pod), container: owned(container), ..Place::default() };
        site.workloads.of(&mut site.root, &place, site.now)
    };
    assert_eq!(of(None, None), None);
    let check = |found: Option<Workload>| {
        let Some(Workload::Unknown(why)) = &found else { panic!("{found:?}") };
        assert!(why.contains("control group"), "{why}");
    };
    check(of(Some(UID), None));
    // Nothing that is no id becomes a part of a path.
    let short = "ab".repeat(31);
    for container in ["", "..", "../../../../etc", short.as_str(), &format!("{short}/.")] {
        check(of(Some(UID), Some(container)));
    }
    for pod in ["", "..", "../pods", "0f3c8a52"] {
        check(of(Some(pod), Some(&id())));
    }
}

#[test]
fn containers_of_cri_o_and_docker_are_named_where_those_keep_them() {
    let labels = json!({
        "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.name": "web-7",
        "io.kubernetes.pod.uid": UID, "io.kubernetes.container.name": "app",
    });
    let crio = json!({ "annotations": labels }).to_string();
    let docker = json!({ "Config": { "Labels": labels, "Env": ["A=a secret"] } }).to_string();
    let id = id();
    for (path, text) in [
        (format!("/var/lib/containers/storage/overlay-containers/{id}/userdata/config.json"), crio),
        (format!("/var/lib/docker/containers/{id}/config.v2.json"), docker),
    ] {
        let mut site = Site::new();
        fs::remove_dir_all(site.at("/run")).unwrap();
        site.put(&path, text.as_bytes());
        let named = site.look().text();
        assert!(named.starts_with("pod shop/web-7, container app"), "{path}: {named}");
        let mut site = Site::new();
        fs::remove_dir_all(site.at("/run")).unwrap();
        site.put(&path, b"{\"a secret\"}");
        site.check_unknown("names no pod");
        let large = vec![b' '; usize::try_from(MOST_CONFIG_BYTES).unwrap() + 1];
        site.put(&path, &large);
        site.workloads = Workloads::default();
        site.check_unknown("no file of at most");
    }
}

#[test]
fn what_is_no_config_of_this_pod_names_nobody() {
    let mut site = Site::new();
    let file = config(&id());
    let other = config_of("2b3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33");
    for (text, expected) in [
        ("", "names no pod"),
        ("{\"a secret\"", "names no pod"),
        ("[\"a secret\"]", "names no pod"),
        ("{\"annotations\":\"a secret\"}", "names no pod"),
        (other.as_str(), "another pod"),
    ] {
        site.put(&file, text.as_bytes());
        // What was said first stays, so each is asked by itself.
        site.workloads = Workloads::default();
        site.check_unknown(expected);
    }
    let check = |site: &mut Site, expected: &str| {
        site.workloads = Workloads::default();
        site.check_unknown(expected);
    };
    let mut large = config_of(UID);
    large.push_str(&" ".repeat(usize::try_from(MOST_CONFIG_BYTES).unwrap()));
    site.put(&file, large.as_bytes());
    check(&mut site, "no file of at most");
    fs::remove_file(site.at(&file)).unwrap();
    fs::create_dir(site.at(&file)).unwrap();
    check(&mut site, "no file of at most");
    fs::remove_dir(site.at(&file)).unwrap();
    site.put("/else", config_of(UID).as_bytes());
    symlink(site.at("/else"), site.at(&file)).unwrap();
    check(&mut site, "no file of at most");
}

#[test]
fn a_pod_without_projected_volumes_has_no_projected_token_and_one_that_was_not_seen_is_unknown() {
    let mut site = Site::new();
    assert_eq!(site.account(), Account::NoProjectedToken);
    let mut site = Site::new();
    site.mount("settings", b"x");
    let at = projected("settings");
    fs::remove_file(site.at(&format!("{at}/..2026_11_30/token"))).unwrap();
    site.check_account_unknown("called otherwise");
    let mut site = Site::new();
    fs::remove_dir_all(site.at("/var")).unwrap();
    site.check_account_unknown("no directory");
}

#[test]
fn what_is_no_token_of_the_pod_names_no_account() {
    let large = vec![b'a'; usize::try_from(MOST_TOKEN_BYTES).unwrap() + 1];
    for (bytes, expected) in [
        (b"eyJ a.b.c".to_vec(), "no token of a service account"),
        (Vec::new(), "no token of a service account"),
        (large, "no file of at most"),
        (token("kube-system", "web"), "another pod"),
    ] {
        let mut site = Site::new();
        site.mount(VOLUME, &bytes);
        site.check_account_unknown(expected);
    }
    // Another file of that name takes nothing from the pod's own, and another account is not chosen between.
    let mut site = Site::new();
    site.mount(VOLUME, &token("shop", "web"));
    site.mount("settings", b"x");
    assert_eq!(site.account(), Account::Named("shop:web".to_owned()));
    let mut site = Site::new();
    site.mount(VOLUME, &token("shop", "web"));
    site.mount("made-up", &token("shop", "admin"));
    site.check_account_unknown("different accounts: shop:admin, shop:web");
    for number in 1..=MOST_ACCOUNTS {
        site.mount(&format!("made-up-{number}"), &token("shop", &format!("a{number}")));
    }
    site.check_account_unknown("different accounts: shop:a1, shop:a2, shop:a3, shop:a4 and 2 more");
}

#[test]
fn no_link_leads_out_of_a_volume() {
    for (to, expected) in
        [("../../../../../else", "leads out"), ("/else", "leads out"), ("..", "`..`")]
    {
        let mut site = Site::new();
        site.put("/else/token", &token("shop", "web"));
        fs::create_dir_all(site.at(&projected(VOLUME))).unwrap();
        symlink(to, site.at(&format!("{}/..data", projected(VOLUME)))).unwrap();
        site.check_account_unknown(expected);
    }
    let mut site = Site::new();
    site.put("/else", &token("shop", "web"));
    let at = projected(VOLUME);
    fs::create_dir_all(site.at(&format!("{at}/..1"))).unwrap();
    symlink("..1", site.at(&format!("{at}/..data"))).unwrap();
    symlink(site.at("/else"), site.at(&format!("{at}/..1/token"))).unwrap();
    site.check_account_unknown("no file of at most");
}

#[test]
fn the_oldest_container_is_forgotten() {
    let mut site = Site::new();
    let named = site.look();
    fs::remove_dir_all(site.at("/run")).unwrap();
    for number in 1..=MOST {
        assert_eq!(site.look(), named, "it is known as long as there is room");
        let (pod, container) = (Some(UID.to_owned()), Some(format!("{number:064x}")));
        let place = Place { pod, container, ..Place::default() };
        site.workloads.of(&mut site.root, &place, site.now).unwrap();
    }
    assert_eq!((site.workloads.known.len(), site.workloads.order.len()), (MOST, MOST));
    assert!(matches!(site.look(), Workload::Unknown(_)), "it was the oldest");
}
