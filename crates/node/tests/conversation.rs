//! Conversations with a machine that is a directory of this test: frames go through a socket pair,
//! programs are recorded and not run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use ringfort_model::certificate::{Authority, CertRequest, Subject};
use ringfort_model::content::SecretName;
use ringfort_model::digest::Digest;
use ringfort_model::etcd::EtcdAct;
use ringfort_model::frame::{Answer, Decoder, FRAME_VERSION, Request, encode};
use ringfort_model::item::ItemId;
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::seen::{ContentSeen, ItemSeen, Look, Seen};
use ringfort_model::step::{Act, Difference, Outcome, Source, Step};
use ringfort_node::{Root, Said, ServeError, Tools, serve};
use ringfort_pki::TunnelSecret;

/// Programs that answer what the test wrote down, and remember that they were called.
#[derive(Clone, Default)]
struct Recorded {
    calls: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<BTreeMap<String, Said>>>,
}

impl Recorded {
    fn answer(&self, start: &str, stdout: &str) {
        let said = Said { well: true, stdout: stdout.to_owned(), stderr: String::new() };
        self.answers.lock().unwrap().insert(start.to_owned(), said);
    }

    fn calls_of(&self, word: &str) -> Vec<String> {
        self.calls.lock().unwrap().iter().filter(|call| call.contains(word)).cloned().collect()
    }
}

impl Tools for Recorded {
    fn run(&self, program: &str, arguments: &[&str]) -> std::io::Result<Said> {
        let call = format!("{program} {}", arguments.join(" "));
        self.calls.lock().unwrap().push(call.clone());
        let answers = self.answers.lock().unwrap();
        let known = answers.iter().find(|(start, _)| call.starts_with(start.as_str()));
        Ok(known.map(|(_, said)| said.clone()).unwrap_or(Said { well: true, ..Said::default() }))
    }
}

/// The operator's end of a conversation.
struct Operator {
    stream: UnixStream,
    decoder: Decoder,
    machine: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Operator {
    fn call(root: &Path, tools: &Recorded) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (root, tools) = (Root::new(root), tools.clone());
        let machine =
            std::thread::spawn(move || serve(theirs.try_clone().unwrap(), theirs, &root, &tools));
        Self { stream: ours, decoder: Decoder::default(), machine: Some(machine) }
    }

    fn greeted(root: &Path, tools: &Recorded, epoch: u64) -> Self {
        let mut operator = Self::call(root, tools);
        let answer = operator.hello("ann", epoch);
        assert!(matches!(answer, Answer::Welcome { .. }), "{answer:?}");
        operator
    }

    fn hello(&mut self, name: &str, epoch: u64) -> Answer {
        self.ask(&Request::Hello { version: FRAME_VERSION, epoch, operator: name.to_owned() }, b"")
    }

    fn ask(&mut self, request: &Request, tail: &[u8]) -> Answer {
        self.stream.write_all(&encode(request, tail)).unwrap();
        self.hear()
    }

    fn hear(&mut self) -> Answer {
        let mut piece = [0; 4096];
        loop {
            if let Some((answer, _)) = self.decoder.pop().unwrap() {
                return answer;
            }
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "the machine hung up");
            self.decoder.push(&piece[..count]);
        }
    }

    fn apply(&mut self, item: ItemId, act: Act, secret: &[u8]) -> Outcome {
        let step = Step { item, by: "test".to_owned(), because: Difference::Missing, act };
        match self.ask(&Request::Apply { seq: 7, step }, secret) {
            Answer::Applied { seq: 7, outcome } => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn done(&mut self, item: ItemId, act: Act) -> ItemSeen {
        match self.apply(item, act, b"") {
            Outcome::Done(seen) => seen,
            other => panic!("{other:?}"),
        }
    }

    fn failed(&mut self, item: ItemId, act: Act) -> String {
        match self.apply(item, act, b"") {
            Outcome::Failed { why } => why,
            other => panic!("{other:?}"),
        }
    }

    fn observe(&mut self, looks: Vec<(ItemId, Look)>) -> Seen {
        match self.ask(&Request::Observe { looks }, b"") {
            Answer::Observed(seen) => seen,
            other => panic!("{other:?}"),
        }
    }

    /// Hangs up and waits until the machine has ended what it began.
    fn hang_up(mut self) -> Result<(), ServeError> {
        self.stream.shutdown(Shutdown::Both).unwrap();
        self.machine.take().unwrap().join().unwrap()
    }
}

fn machine() -> (tempfile::TempDir, Recorded) {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
        ("proc/sys/vm/overcommit_memory", "0\n"),
    ] {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    (directory, Recorded::default())
}

/// The owner of what this test makes.
fn me(root: &Path) -> Owner {
    let is = std::fs::metadata(root).unwrap();
    Owner { uid: is.uid(), gid: is.gid() }
}

fn text(root: &Path, mode: u32, text: &str) -> Act {
    let source = Source::Text(text.to_owned());
    Act::WriteFile { mode: FileMode(mode), owner: me(root), source, readers: [].into() }
}

fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn nothing_is_heard_before_hello_and_versions_must_be_equal() {
    let (root, tools) = machine();
    let hello = Request::Hello { version: FRAME_VERSION + 1, epoch: 1, operator: "ann".to_owned() };
    for early in [Request::Survey, Request::Members, Request::Lacks { digests: vec![] }, hello] {
        let mut operator = Operator::call(root.path(), &tools);
        assert!(matches!(operator.ask(&early, b""), Answer::Refused { .. }), "{early:?}");
        operator.machine.take().unwrap().join().unwrap().unwrap();
    }
    let mut operator = Operator::call(root.path(), &tools);
    assert!(matches!(operator.hello("ann", 1), Answer::Welcome { epoch: 0, .. }));
    operator.hang_up().unwrap();
}

#[test]
fn a_second_operator_is_refused_by_the_firsts_name_until_it_hangs_up() {
    let (root, tools) = machine();
    let call = |name: &str, epoch: u64| {
        let mut operator = Operator::call(root.path(), &tools);
        (operator.hello(name, epoch), operator)
    };
    let ann = Operator::greeted(root.path(), &tools, 4);
    let (Answer::Refused { why }, _) = call("bob", 5) else { panic!() };
    assert!(why.starts_with("ann is at work"), "{why}");
    let (looking, _) = call("bob", 0);
    let Answer::Welcome { epoch: 4, busy, .. } = looking else { panic!("{looking:?}") };
    assert_eq!(busy.as_deref(), Some("ann"), "looking is free, and says who acts");
    ann.hang_up().unwrap();
    for past in [3, 4] {
        let (Answer::Refused { why }, bob) = call("bob", past) else { panic!() };
        assert!(why.contains(&format!("epoch {past} is over")), "{why}");
        bob.hang_up().unwrap();
    }
    let (welcomed, _bob) = call("bob", 5);
    assert!(matches!(welcomed, Answer::Welcome { epoch: 4, .. }), "{welcomed:?}");
}

#[test]
fn epoch_0_looks_and_changes_nothing() {
    let (root, tools) = machine();
    let mut operator = Operator::greeted(root.path(), &tools, 0);
    let act = text(root.path(), 0o644, "x");
    assert!(operator.failed(ItemId::file("/etc/x"), act).contains("only look"));
    let digest = Digest::of(b"x");
    let store = Request::Store { digest, offset: 0, last: true, packed: false };
    assert!(matches!(operator.ask(&store, b"x"), Answer::Refused { .. }));
    let seen = operator.observe(vec![(ItemId::file("/etc/x"), Look::Plain)]);
    assert_eq!(seen.items[&ItemId::file("/etc/x")], ItemSeen::Absent);
    assert!(!root.path().join("var").exists());
}

#[test]
fn files_are_written_owned_and_given_back_byte_for_byte() {
    let (root, tools) = machine();
    std::fs::write(root.path().join("etc/motd"), b"old \xff").unwrap();
    std::fs::set_permissions(root.path().join("etc/motd"), std::fs::Permissions::from_mode(0o604))
        .unwrap();
    let (motd, new) = (ItemId::file("/etc/motd"), ItemId::file("/etc/new"));
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    for item in [&motd, &new] {
        for content in ["one", "two"] {
            let seen = operator.done(item.clone(), text(root.path(), 0o600, content));
            let content = ContentSeen::Bytes(Digest::of(content.as_bytes()));
            let owner = me(root.path());
            assert_eq!(seen, ItemSeen::File { mode: FileMode(0o600), owner, content });
        }
    }
    assert_eq!(operator.observe(vec![]).owned, [motd.clone(), new.clone()].into());
    assert!(matches!(operator.done(motd.clone(), Act::Remove), ItemSeen::File { .. }));
    assert_eq!(operator.done(new.clone(), Act::Remove), ItemSeen::Absent);
    let motd_path = root.path().join("etc/motd");
    assert_eq!(std::fs::read(&motd_path).unwrap(), b"old \xff");
    assert_eq!(std::fs::metadata(&motd_path).unwrap().permissions().mode() & 0o7777, 0o604);
    assert!(operator.observe(vec![]).owned.is_empty());
    // Taken away once more: what is there now is not ours, and stays.
    operator.done(motd, Act::Remove);
    assert_eq!(std::fs::read(&motd_path).unwrap(), b"old \xff");
}

#[test]
fn a_key_is_made_once_and_asks_for_its_certificate() {
    let (root, tools) = machine();
    let (key, certificate) = (ItemId::file("/etc/a.key"), ItemId::file("/etc/a.crt"));
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let make = || Act::MakeKey { mode: FileMode(0o600), owner: me(root.path()) };
    let first = operator.done(key.clone(), make());
    assert_eq!(operator.done(key.clone(), make()), first, "a good key is never replaced");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(root.path().join("etc/a.key"), open).unwrap();
    assert_eq!(operator.done(key.clone(), make()), first, "only its mode is put right");
    let ItemSeen::File { content: ContentSeen::Key { public_pem, .. }, .. } = &first else {
        panic!()
    };
    assert!(public_pem.starts_with("-----BEGIN PUBLIC KEY-----"));
    let request = CertRequest {
        authority: Authority::Cluster,
        subject: Subject::user("a"),
        usages: [].into(),
        names: [].into(),
        key: "/etc/a.key".to_owned(),
    };
    let outcome = operator.apply(certificate, Act::RequestCertificate { request }, b"");
    let Outcome::Signing { csr_pem } = outcome else { panic!("{outcome:?}") };
    assert!(csr_pem.contains("CERTIFICATE REQUEST") && !csr_pem.contains("PRIVATE"));
    assert_eq!(operator.observe(vec![(key.clone(), Look::Key)]).items[&key], first);
}

#[test]
fn a_wireguard_key_is_made_once_and_only_its_public_half_is_told() {
    let (root, tools) = machine();
    let key = ItemId::file("/etc/wireguard.key");
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let make = || Act::MakeTunnelKey { mode: FileMode(0o600), owner: me(root.path()) };
    let first = operator.done(key.clone(), make());
    let private = std::fs::read_to_string(root.path().join("etc/wireguard.key")).unwrap();
    let public = TunnelSecret::read(&private).unwrap().public().unwrap();
    let content = ContentSeen::TunnelKey(public);
    let expected = ItemSeen::File { mode: FileMode(0o600), owner: me(root.path()), content };
    assert_eq!(first, expected);
    assert_eq!(operator.done(key.clone(), make()), first, "a good key is never replaced");
    assert_eq!(operator.observe(vec![(key.clone(), Look::TunnelKey)]).items[&key], first);
    let journal = std::fs::read_to_string(root.path().join("var/lib/ringfort/journal"));
    assert!(!journal.unwrap_or_default().contains(private.trim()));
    std::fs::write(root.path().join("etc/wireguard.key"), "hunter2\n").unwrap();
    assert_ne!(operator.done(key, make()), first, "what is no key is replaced");
}

#[test]
fn a_secret_is_taken_from_the_tail_and_only_whole() {
    let (root, tools) = machine();
    let item = ItemId::file("/etc/enc.yaml");
    let secret = b"resources: [{providers: [{secretbox: {keys: [{name: k1, secret: hunter2}]}}]}]";
    let digest = Digest::of(secret);
    let act = |digest: &Digest| Act::WriteFile {
        readers: [].into(),
        mode: FileMode(0o600),
        owner: me(root.path()),
        source: Source::Secret {
            name: SecretName::EncryptionConfiguration,
            digest: digest.clone(),
        },
    };
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let outcome = operator.apply(item.clone(), act(&digest), b"something else");
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert!(!root.path().join("etc/enc.yaml").exists());
    let outcome = operator.apply(item, act(&digest), secret);
    let Outcome::Done(ItemSeen::File { content, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(content, ContentSeen::EncryptionKeys { digest, keys: vec!["k1".to_owned()] });
    let journal = std::fs::read(root.path().join("var/lib/ringfort/journal")).unwrap();
    assert!(!String::from_utf8_lossy(&journal).contains("hunter2"));
}

#[test]
fn pieces_of_the_store_are_checked_and_used() {
    let (root, tools) = machine();
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let bytes = b"kubelet's bytes".as_slice();
    let digest = Digest::of(bytes);
    let store =
        |offset, last, packed| Request::Store { digest: digest.clone(), offset, last, packed };
    let lacks = Request::Lacks { digests: vec![digest.clone()] };
    assert_eq!(operator.ask(&lacks, b""), Answer::Lacking(vec![digest.clone()]));
    assert!(matches!(operator.ask(&store(0, true, false), b"altered"), Answer::Refused { .. }));
    // A piece that cannot be taken is only told with the last one.
    operator.stream.write_all(&encode(&store(0, false, true), b"no zlib")).unwrap();
    assert!(matches!(operator.ask(&store(7, true, false), b""), Answer::Refused { .. }));
    operator.stream.write_all(&encode(&store(0, false, false), &bytes[..7])).unwrap();
    assert_eq!(operator.ask(&store(7, true, false), &bytes[7..]), Answer::Stored(digest.clone()));
    assert_eq!(operator.ask(&lacks, b""), Answer::Lacking(vec![]));
    let write = || Act::WriteFile {
        readers: [].into(),
        mode: FileMode(0o755),
        owner: me(root.path()),
        source: Source::Stored(digest.clone()),
    };
    operator.done(ItemId::file("/etc/kubelet"), write());
    assert_eq!(read(root.path(), "etc/kubelet").as_bytes(), bytes);
    let stored = root.path().join("var/lib/ringfort/store/sha256").join(digest.as_str());
    std::fs::write(stored, "altered").unwrap();
    let why = operator.failed(ItemId::file("/etc/kubelet"), write());
    assert!(why.contains("not what its digest"), "{why}");
    assert_eq!(read(root.path(), "etc/kubelet").as_bytes(), bytes, "the old file stays");
}

#[test]
fn settings_users_and_directories() {
    let (root, tools) = machine();
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let sysctl = ItemId::Sysctl("vm.overcommit_memory".to_owned());
    let seen = operator.done(sysctl.clone(), Act::SetSysctl { value: "1".to_owned() });
    assert_eq!(seen, ItemSeen::Sysctl { value: "1".to_owned() });
    operator.done(sysctl, Act::Remove);
    assert_eq!(read(root.path(), "proc/sys/vm/overcommit_memory"), "0");
    let none = ItemId::Sysctl("net.none".to_owned());
    assert!(
        operator.failed(none, Act::SetSysctl { value: "1".to_owned() }).contains("load the module")
    );

    let user = ItemId::User("etcd".to_owned());
    operator.done(user, Act::AddUser { owner: Owner::ETCD });
    assert_eq!(tools.calls_of("groupadd"), ["groupadd --system --gid 2379 etcd"]);
    assert!(tools.calls_of("useradd")[0].ends_with("--shell /usr/sbin/nologin etcd"));

    let data = ItemId::directory("/var/lib/etcd");
    let make = Act::MakeDirectory { mode: FileMode(0o700), owner: me(root.path()) };
    operator.done(data.clone(), make);
    std::fs::create_dir_all(root.path().join("var/lib/etcd/data/member")).unwrap();
    assert!(operator.observe(vec![]).etcd_data);
    assert_eq!(operator.done(data, Act::Remove), ItemSeen::Absent);
}

#[test]
fn a_unit_is_restarted_only_for_other_inputs() {
    let (root, tools) = machine();
    tools.answer("systemctl show", "LoadState=loaded\nActiveState=active\n");
    tools.answer("systemctl is-enabled", "enabled\n");
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let mut restarts_after = |inputs: &str| {
        let inputs = Digest::of(inputs.as_bytes());
        let seen = operator.done(
            ItemId::unit("kubelet.service"),
            Act::RunUnit { inputs: inputs.clone(), anew: false },
        );
        assert_eq!(seen, ItemSeen::Unit { enabled: true, active: true, inputs: Some(inputs) });
        tools.calls_of("systemctl restart").len()
    };
    assert_eq!(restarts_after("one"), 1);
    assert_eq!(restarts_after("one"), 1);
    assert_eq!(restarts_after("two"), 2);
}

#[test]
fn a_unit_that_never_ran_is_enabled_and_started_by_one_call() {
    let calls_for = |state: &str| {
        let (root, tools) = machine();
        let shown = format!(
            "LoadState=loaded\nActiveState={state}\nNeedDaemonReload=no\n\
             FragmentPath=/etc/systemd/system/kubelet.service\n"
        );
        tools.answer("systemctl show", &shown);
        tools.answer("systemctl is-enabled", "enabled\n");
        let act = Act::RunUnit { inputs: Digest::of(b"one"), anew: false };
        Operator::greeted(root.path(), &tools, 1).done(ItemId::unit("kubelet.service"), act);
        ["enable --no-reload --now", "enable --no-reload --", "reset-failed", "restart"]
            .map(|call| tools.calls_of(&format!("systemctl {call}")).len())
    };
    assert_eq!(calls_for("inactive"), [1, 1, 0, 0]);
    // One that fell over too often would not start, and one that runs would not read what is new.
    assert_eq!(calls_for("failed"), [0, 1, 1, 1]);
    assert_eq!(calls_for("active"), [0, 1, 1, 1]);
}

#[test]
fn systemd_reads_its_files_anew_only_if_it_must() {
    let run_with = |shown: &str| {
        let (root, tools) = machine();
        tools.answer("systemctl show", shown);
        tools.answer("systemctl is-enabled", "enabled\n");
        let act = Act::RunUnit { inputs: Digest::of(b"one"), anew: false };
        Operator::greeted(root.path(), &tools, 1).done(ItemId::unit("kubelet.service"), act);
        assert_eq!(tools.calls_of("enable --no-reload").len(), 1);
        tools.calls_of("daemon-reload").len()
    };
    let loaded = |from: &str, stale: &str| {
        let state = "LoadState=loaded\nActiveState=active\n";
        format!("{state}FragmentPath={from}/kubelet.service\nNeedDaemonReload={stale}\n")
    };
    assert_eq!(run_with(&loaded("/etc/systemd/system", "no")), 0);
    assert_eq!(run_with(&loaded("/etc/systemd/system", "yes")), 1);
    assert_eq!(run_with(&loaded("/lib/systemd/system", "no")), 1, "a vendor's unit is ours");
    assert_eq!(run_with("LoadState=not-found\nActiveState=inactive\n"), 1);
}

#[test]
fn a_unit_is_restarted_when_a_file_that_it_read_was_put_right() {
    let (root, tools) = machine();
    tools.answer("systemctl show", "LoadState=loaded\nActiveState=active\n");
    tools.answer("systemctl is-enabled", "enabled\n");
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let unit = ItemId::unit("kubelet.service");
    let run = || Act::RunUnit { inputs: Digest::of(b"one"), anew: false };
    operator.done(unit.clone(), run());
    let Act::WriteFile { mode, owner, source, .. } = text(root.path(), 0o600, "right") else {
        panic!()
    };
    let act = Act::WriteFile { mode, owner, source, readers: [unit.clone()].into() };
    operator.done(ItemId::file("/etc/a.conf"), act);
    operator.done(unit, run());
    assert_eq!(tools.calls_of("systemctl restart").len(), 2, "its inputs are the same");
}

#[test]
fn only_links_on_the_clusters_bridge_go_with_containerd() {
    let (root, tools) = machine();
    tools.answer("systemctl show", "LoadState=loaded\nActiveState=active\n");
    tools.answer("systemctl is-enabled", "enabled\n");
    tools.answer(
        "ip -o link show master cni0",
        "7: veth0c1f@if2: <UP> mtu 1500 link-netns cni-3f\n",
    );
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let unit = ItemId::unit("containerd.service");
    operator.done(unit.clone(), Act::RunUnit { inputs: Digest::of(b""), anew: false });
    operator.done(unit, Act::Remove);
    let deleted = tools.calls_of(" delete ");
    assert_eq!(
        deleted,
        ["ip netns delete cni-3f", "ip link delete veth0c1f", "ip link delete cni0"]
    );
}

#[test]
fn the_way_out_of_the_cluster_goes_with_the_unit_that_keeps_routes() {
    let (root, tools) = machine();
    tools.answer("systemctl show", "LoadState=loaded\nActiveState=active\n");
    tools.answer("systemctl is-enabled", "enabled\n");
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let unit = ItemId::unit("ringfort-routes.service");
    operator.done(unit.clone(), Act::RunUnit { inputs: Digest::of(b""), anew: false });
    operator.done(unit, Act::Remove);
    let tables = ["ip", "ip6"].map(|it| format!("nft delete table {it} ringfort_masquerade"));
    assert_eq!(tools.calls_of("nft "), tables);
}

#[test]
fn images_are_imported_and_pinned_without_a_registry() {
    let (root, tools) = machine();
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let archive = Digest::of(b"tar");
    let store = Request::Store { digest: archive.clone(), offset: 0, last: true, packed: false };
    operator.ask(&store, b"tar");
    let image = ItemId::Image("registry.k8s.io/pause:3.10.2".to_owned());
    operator.done(image, Act::ImportImage { archive });
    let calls = tools.calls_of("ctr");
    assert!(calls.iter().any(|c| c.contains("images import --local --discard-unpacked-layers")));
    assert!(calls.iter().any(|c| c.ends_with("pause:3.10.2 io.cri-containerd.pinned=pinned")));
}

#[test]
fn the_membership_is_changed_once() {
    let (root, tools) = machine();
    tools.answer(
        "etcdctl",
        r#"{"members":[{"ID":10501334649042878790,"name":"cp1","peerURLs":["https://10.0.0.11:2380"]},
                       {"ID":7,"name":"","peerURLs":["https://10.0.0.13:2380"],"isLearner":true}]}"#,
    );
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let Answer::Members(Some(members)) = operator.ask(&Request::Members, b"") else { panic!() };
    assert_eq!(members[0].id, "91bc3c398fb3c146");
    assert!(members[1].learner);
    let etcd = || ItemId::Serving("etcd".to_owned());
    let node = ringfort_model::name::NodeName::new("cp3").unwrap();
    let peer_url = "https://10.0.0.13:2380".to_owned();
    operator.done(etcd(), Act::Etcd(EtcdAct::AddLearner { node, peer_url }));
    operator.done(etcd(), Act::Etcd(EtcdAct::Remove { id: "99".to_owned() }));
    operator.done(etcd(), Act::Etcd(EtcdAct::Promote { id: "91bc3c398fb3c146".to_owned() }));
    assert!(tools.calls_of("member add").is_empty() && tools.calls_of("member remove").is_empty());
    operator.done(etcd(), Act::Etcd(EtcdAct::Promote { id: "7".to_owned() }));
    assert_eq!(tools.calls_of("member promote").len(), 1);
}

#[test]
fn a_machine_that_died_anywhere_in_a_step_goes_on_by_the_same_step() {
    // What a step leaves when the machine dies in it: the journal cut after each byte of its
    // growth, with the file not yet there, half written aside, or there.
    let (whole_root, tools) = machine();
    let item = || ItemId::file("/etc/conf");
    let mut operator = Operator::greeted(whole_root.path(), &tools, 1);
    operator.done(item(), text(whole_root.path(), 0o644, "wanted"));
    operator.hang_up().unwrap();
    let journal = std::fs::read(whole_root.path().join("var/lib/ringfort/journal")).unwrap();
    for (cut, length) in (0..=journal.len()).step_by(7).enumerate() {
        let (root, tools) = machine();
        let state = root.path().join("var/lib/ringfort");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join("journal"), &journal[..length]).unwrap();
        std::fs::write(root.path().join("etc/.conf.ringfort.new"), "wan").unwrap();
        if cut % 2 == 0 {
            std::fs::write(root.path().join("etc/conf"), "before").unwrap();
        }
        let mut operator = Operator::greeted(root.path(), &tools, 2);
        operator.done(item(), text(root.path(), 0o644, "wanted"));
        assert_eq!(read(root.path(), "etc/conf"), "wanted", "cut at {length}");
        operator.done(item(), Act::Remove);
        let left = std::fs::read_to_string(root.path().join("etc/conf")).ok();
        assert_eq!(left.as_deref(), (cut % 2 == 0).then_some("before"), "cut at {length}");
        assert!(!root.path().join("etc/.conf.ringfort.new").exists());
    }
}

#[test]
fn steps_that_were_begun_end_when_the_operator_goes() {
    let (root, tools) = machine();
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    for seq in 0..40 {
        let item = ItemId::file(format!("/etc/f{seq}"));
        let act = text(root.path(), 0o644, "x");
        let step = Step { item, by: "test".to_owned(), because: Difference::Missing, act };
        operator.stream.write_all(&encode(&Request::Apply { seq, step }, b"")).unwrap();
    }
    operator.stream.write_all(&encode(&Request::Bye, b"")).unwrap();
    operator.machine.take().unwrap().join().unwrap().unwrap();
    assert!((0..40).all(|seq| root.path().join(format!("etc/f{seq}")).exists()));
    let mut next = Operator::greeted(root.path(), &tools, 1);
    assert_eq!(next.observe(vec![]).owned.len(), 40);
}

#[test]
fn an_act_that_does_not_fit_its_item_and_a_path_that_leaves_are_refused() {
    let (root, tools) = machine();
    let mut operator = Operator::greeted(root.path(), &tools, 1);
    let act = || text(root.path(), 0o644, "x");
    assert!(operator.failed(ItemId::directory("/etc/x"), act()).contains("cannot be done"));
    assert!(operator.failed(ItemId::file("/etc/../../x"), act()).contains("'..'"));
    assert!(operator.failed(ItemId::file("/none/x"), act()).contains("/none"));
}

#[test]
fn garbage_ends_the_conversation() {
    let (root, tools) = machine();
    let mut operator = Operator::call(root.path(), &tools);
    operator.stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
    let error = operator.machine.take().unwrap().join().unwrap().unwrap_err();
    assert!(matches!(error, ServeError::Frame(_)), "{error}");
}
