//! etcd's process has a user of its own, as have its data, and nobody else enters there.

use ringfort_model::act::{Act, FileSeen, Next, Seen, Transcript};
use ringfort_model::mode::Owner;
use ringfort_model::name::NodeName;

use crate::paths;
use crate::proof::{Gaps, Scene, course, fail, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let planes = || scene.control_planes.iter();
        let processes =
            |node: &NodeName| Act::Processes { node: node.clone(), names: vec!["etcd".to_owned()] };
        let data = [paths::ETCD.to_owned(), format!("{}/data/member", paths::ETCD)];
        let files = |node: &NodeName| Act::Files { node: node.clone(), paths: data.to_vec() };
        let acts: Vec<Act> = planes().map(processes).chain(planes().map(files)).collect();
        let Owner { uid, gid } = Owner::ETCD;
        let mut gaps = Gaps::default();
        for (act, seen) in course.step(acts)? {
            let node = act.node().map_or("", NodeName::as_str);
            let wrong = match seen {
                Seen::Processes(all) if all.is_empty() => {
                    gaps.add(format!("{node}: no etcd runs there"));
                    None
                }
                Seen::Processes(all) => all
                    .iter()
                    .find(|process| process.user != uid)
                    .map(|process| format!("etcd runs as user {}, not {uid}", process.user)),
                Seen::Files(found) => data.iter().find_map(|path| match found.get(path) {
                    Some(file) if (file.user, file.group) != (uid, gid) || file.mode != "700" => {
                        let FileSeen { mode, user, group } = file;
                        Some(format!("{path} has mode {mode} and owner {user}:{group}"))
                    }
                    Some(_) => None,
                    None => {
                        gaps.add(format!("{node}: {path} is not there"));
                        None
                    }
                }),
                other => {
                    gaps.add(format!("{node}: {}", words(other)));
                    None
                }
            };
            if let Some(wrong) = wrong {
                return Ok(fail(format!("{node}: {wrong}"), "ringfort up"));
            }
        }
        gaps.close()?;
        let said = format!(
            "etcd is user {uid} on each of {} control planes, and its data are open to that user alone",
            scene.control_planes.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
