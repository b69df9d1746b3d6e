//! Who writes from a pod is told with the pod's names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringfort_integrity::process::Who;
use ringfort_integrity::workload::Workload;

use super::Room;
use super::agent::{Site, WATCHED};

const UID: &str = "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";
/// Roots of control groups: of version 2, and of version 1, where each kind has its own.
const GROUPS: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/freezer"];

/// A control group with the name of a container's.
struct Group(PathBuf);

impl Group {
    fn new(id: &str) -> Self {
        let is_root = |at: &&str| Path::new(at).join("cgroup.procs").exists();
        let root = GROUPS.into_iter().find(is_root).expect("there are control groups");
        let group = Self(Path::new(root).join(format!("kubepods/pod{UID}/{id}")));
        fs::create_dir_all(&group.0).unwrap();
        group
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Those of others stay: only what is empty can be taken away.
        self.0.ancestors().take(3).for_each(|at| fs::remove_dir(at).unwrap_or(()));
    }
}

pub(super) fn who_writes_from_a_pod_is_told_with_the_pods_names(room: &Room) {
    let site = Site::new(room, room.at("root"));
    let id = format!("{:064x}", std::process::id());
    let group = Group::new(&id);
    let state = site.at(&format!("/run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}"));
    fs::create_dir_all(&state).unwrap();
    let config = serde_json::json!({ "annotations": {
        "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.sandbox-name": "web-7",
        "io.kubernetes.cri.sandbox-uid": UID, "io.kubernetes.cri.container-name": "app",
    } });
    fs::write(state.join("config.json"), config.to_string()).unwrap();
    fs::create_dir_all(site.at(&format!("/var/lib/kubelet/pods/{UID}"))).unwrap();
    let path = format!("{WATCHED}/by-a-pod");
    let script = format!(
        "echo $$ >{}/cgroup.procs && echo x >{} && sleep 1",
        group.0.display(),
        site.at(&path).display()
    );
    let change = site.with_agent(|ears| {
        assert!(Command::new("/bin/sh").args(["-c", &script]).status().unwrap().success());
        ears.change(&path)
    });
    let Who::Process(process) = &change.who else { panic!("{change:?}") };
    assert_eq!(process.place.container.as_deref(), Some(id.as_str()), "{change:?}");
    let text = process.place.workload.as_deref().map(Workload::text);
    assert_eq!(text.as_deref(), Some("pod shop/web-7, container app, no projected token"));
}
