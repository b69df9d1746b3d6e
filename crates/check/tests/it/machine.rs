//! Facts of a machine as ringfort's own blueprint makes it, and ways to change them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ringfort_check::benchmark::{Intent, Looked, Needs, Tally, judge, rows};
use ringfort_facts::machine::Machine;
use ringfort_facts::manifest;
use ringfort_model::judgement::{Judgement, Verdict};
use ringfort_model::machine::MachineFacts;
use serde_json::{Value, json};

/// Facts as the document that they are written as.
pub(crate) struct Facts(pub(crate) Value);

fn blueprint() -> PathBuf {
    let golden = "../forge/tests/golden/1.36/nodes/cp-10-0-0-11";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(golden)
}

fn known(value: impl Into<Value>) -> Value {
    json!({ "known": value.into() })
}

/// A file or directory of root's.
pub(crate) fn file(kind: &str, mode: u32, uid: u32, gid: u32) -> Value {
    let owner = json!({"uid": uid, "gid": gid});
    known(json!({"kind": kind, "mode": mode, "owner": owner, "acl": "absent"}))
}

impl Facts {
    /// Reads the blueprint of a control plane as if it had been converged and looked at.
    pub(crate) fn of_blueprint() -> Self {
        let mut facts = Self(json!({
            "apiVersion": "facts.ringfort.dev/v1", "kind": "MachineFacts", "name": known("cp1"),
            "components": {}, "files": {}, "below": {}, "certificates": {}, "publicKeys": {}, "kernel": {},
            "accounts": known(json!({"users": {"0": "root", "2379": "etcd"}, "groups": {"0": "root", "2379": "etcd"}})),
        }));
        let items = fs::read_to_string(blueprint().join("ITEMS")).unwrap();
        items.lines().for_each(|line| facts.add_item(line));
        let paths: BTreeSet<String> =
            facts.0["files"].as_object().unwrap().keys().cloned().collect();
        for path in &paths {
            let ways =
                path.match_indices('/').map(|(at, _)| if at == 0 { "/" } else { &path[..at] });
            for way in ways.filter(|way| !paths.contains(*way)) {
                facts.0["files"][way] = file("directory", 0o755, 0, 0);
            }
        }
        // etcd makes it when it starts.
        facts.0["files"]["/var/lib/etcd/data"] = file("directory", 0o700, 2379, 2379);
        for absent in ["/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf"] {
            facts.0["files"][absent] = "absent".into();
        }
        for unit in ["/etc", "/run", "/usr/lib", "/lib"]
            .map(|at| format!("{at}/systemd/system/kubelet.service"))
        {
            facts.0["below"][format!("{unit}.d")] = "absent".into();
            if facts.0["files"].get(&unit).is_none() {
                facts.0["files"][unit] = "absent".into();
            }
        }
        for tree in ["/etc/kubernetes/pki", "/etc/cni/net.d"] {
            let inner = paths.iter().filter_map(|path| path.strip_prefix(&format!("{tree}/")));
            facts.0["below"][tree] = known(inner.map(str::to_owned).collect::<Vec<_>>());
        }
        facts.run_all();
        facts.certify("/etc/etcd/etcd-client-ca.crt", "a");
        facts.certify("/var/lib/kubelet/pki/serving.crt", "c");
        facts.0["certificates"]["/var/lib/kubelet/pki/serving.crt"]["known"]["subject"]["common_name"] =
            "system:node:cp-10-0-0-11".into();
        facts.certify("/etc/kubernetes/pki/ca.crt", "b");
        facts
    }

    fn add_item(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((kind, path)) = words[0].split_once(':') else { return };
        if !matches!(kind, "file" | "directory") {
            return;
        }
        let (uid, gid) = words[2].split_once(':').unwrap();
        let mode = u32::from_str_radix(words[1], 8).unwrap();
        self.0["files"][path] = file(kind, mode, uid.parse().unwrap(), gid.parse().unwrap());
    }

    fn run_all(&mut self) {
        for pod in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"] {
            let pod_file = blueprint().join(format!("etc/kubernetes/manifests/{pod}.yaml"));
            let text = fs::read_to_string(pod_file).unwrap();
            let value = manifest::read(&text).unwrap().remove(0).into_value();
            let words: Vec<String> =
                serde_json::from_value(value["spec"]["containers"][0]["command"].clone()).unwrap();
            self.run(pod, &words.iter().map(String::as_str).collect::<Vec<_>>());
            let user = value["spec"]["securityContext"]["runAsUser"].as_u64().unwrap_or_default();
            self.0["components"][pod]["processes"]["known"][0]["user"] = known(user);
        }
        for unit in ["kubelet", "kube-proxy"] {
            let unit_file = blueprint().join(format!("etc/systemd/system/{unit}.service"));
            let text = fs::read_to_string(unit_file).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
            self.run(unit, &line.split(' ').collect::<Vec<_>>());
        }
        self.0["components"]["kube-apiserver"]["release"] = known("v1.36.2");
        self.run("ringfort", &["/usr/local/bin/ringfort", "node", "policy"]);
        self.run("containerd", &["/usr/local/bin/containerd"]);
        for program in ["antrea-agent", "calico-node", "cilium-agent", "kube-router"] {
            self.run(program, &[program]);
            self.0["components"][program]["processes"] = "absent".into();
        }
        let list = "/etc/cni/net.d/10-ringfort.conflist";
        for (program, path) in
            [("ringfort", "/etc/kubernetes/network-policy.json"), ("containerd", list)]
        {
            let text = fs::read_to_string(blueprint().join(&path[1..])).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            self.0["components"][program]["texts"][path] = known(value.to_string());
        }
    }

    /// Has a component run with these words, in place of whatever ran.
    pub(crate) fn run(&mut self, program: &str, words: &[&str]) {
        let process =
            json!({"arguments": known(words), "environment": known(json!({})), "user": known(0)});
        let (mut texts, mut places) = (BTreeMap::new(), BTreeMap::new());
        let mut open: Vec<String> = words
            .iter()
            .filter_map(|word| word.split_once('=').map_or(Some(*word), |it| Some(it.1)))
            .filter(|word| word.starts_with('/'))
            .map(str::to_owned)
            .collect();
        while let Some(path) = open.pop() {
            places.insert(path.clone(), known(path.clone()));
            let text = match path.as_str() {
                "/etc/kubernetes/encryption/config.yaml" => Ok(SECRETBOX.to_owned()),
                path => fs::read_to_string(blueprint().join(&path[1..])),
            };
            let documents =
                text.ok().and_then(|text| manifest::read(&text).ok()).unwrap_or_default();
            let Some(document) = documents.into_iter().next().filter(|it| it.value().is_object())
            else {
                continue;
            };
            let value = document.into_value();
            for inner in [
                "/authentication/x509/clientCAFile",
                "/tlsCertFile",
                "/clientConnection/kubeconfig",
            ] {
                open.extend(value.pointer(inner).and_then(Value::as_str).map(str::to_owned));
            }
            texts.insert(path, known(value.to_string()));
        }
        self.0["components"][program] = json!({
            "processes": known(json!([process])), "release": "absent", "texts": texts, "below": {},
            "places": places,
        });
    }

    /// Puts more words behind those that a component runs with.
    pub(crate) fn add_words(&mut self, program: &str, more: &[&str]) {
        let words =
            &mut self.0["components"][program]["processes"]["known"][0]["arguments"]["known"];
        words.as_array_mut().unwrap().extend(more.iter().map(|word| Value::from(*word)));
    }

    /// Leaves out the words that begin so.
    pub(crate) fn drop_words(&mut self, program: &str, begin: &str) {
        let words =
            &mut self.0["components"][program]["processes"]["known"][0]["arguments"]["known"];
        words.as_array_mut().unwrap().retain(|word| !word.as_str().unwrap().starts_with(begin));
    }

    /// Has a component read this at a path.
    pub(crate) fn text(&mut self, program: &str, path: &str, document: &Value) {
        self.0["components"][program]["texts"][path] = known(document.to_string());
        self.0["components"][program]["places"][path] = known(path);
    }

    fn certify(&mut self, path: &str, key: &str) {
        self.0["certificates"][path] = known(json!({
            "authority_key_id": "", "subject": {"common_name": "", "organizations": []}, "usages": [],
            "names": [], "public_key": key.repeat(64), "key_kind": "",
            "not_before": 0, "not_after": 1,
        }));
        self.0["publicKeys"][path] = known(json!([key.repeat(64)]));
    }

    pub(crate) fn read(&self) -> MachineFacts {
        MachineFacts::read(&self.0.to_string()).unwrap()
    }

    /// Judges every row that machines decide.
    pub(crate) fn judged(&self) -> BTreeMap<&'static str, Judgement> {
        let all = self.judged_with(None, None);
        let of_machines = rows().filter(|row| row.needs() == Needs::Machines);
        of_machines.map(|row| (row.id, all[row.id].clone())).collect()
    }

    /// Judges every row, with objects and with what is declared.
    pub(crate) fn judged_with(
        &self,
        objects: Option<&Tally>,
        intent: Option<&Intent>,
    ) -> BTreeMap<&'static str, Judgement> {
        let facts = self.read();
        let machines = [Machine::new(&facts, None)];
        let looked = Looked { machines: &machines, objects, intent, ..Looked::default() };
        judge(&looked).into_iter().map(|it| (it.row.id, it.whole)).collect()
    }

    /// What a row comes to.
    pub(crate) fn verdict(&self, id: &str) -> Verdict {
        Verdict::from(&self.judged()[id])
    }
}

const SECRETBOX: &str = "{apiVersion: apiserver.config.k8s.io/v1, kind: EncryptionConfiguration, \
    resources: [{resources: ['*.*'], providers: [{secretbox: {}}]}]}";
