//! Running components of control planes hold no capability, gain none, make only the system calls that
//! they need, and are root only where they must be.

use ringfort_model::act::{Act, Next, ProcessSeen, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// Each component by the name of its process, and whether it may be root.
const COMPONENTS: [(&str, bool); 4] = [
    ("etcd", false),
    ("kube-apiserver", true),
    ("kube-controller-manager", false),
    ("kube-scheduler", false),
];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let names: Vec<String> = COMPONENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let look = |node: &NodeName| Act::Processes { node: node.clone(), names: names.clone() };
        let seen = course.step(scene.control_planes.iter().map(look).collect())?;
        let mut gaps = Gaps::default();
        for (node, (_, seen)) in scene.control_planes.iter().zip(seen) {
            let Seen::Processes(all) = seen else {
                gaps.add(format!("{node}: {}", words(seen)));
                continue;
            };
            for (name, may_be_root) in COMPONENTS {
                let mut own = all.iter().filter(|process| process.name == name).peekable();
                if own.peek().is_none() {
                    gaps.add(format!("{node}: {name} does not run"));
                }
                if let Some(wrong) = own.find_map(|process| wrong(process, may_be_root)) {
                    return Ok(fail(
                        format!("{node}: {name} {wrong}"),
                        "is its manifest the blueprint's? ringfort up",
                    ));
                }
            }
        }
        gaps.close()?;
        Ok(pass(
            format!(
                "{} components on each of {} control planes hold no capability, gain none and are filtered; one is root",
                COMPONENTS.len(),
                seen.len()
            ),
            course.so_far(),
        ))
    })
}

fn wrong(process: &ProcessSeen, may_be_root: bool) -> Option<&'static str> {
    match () {
        () if process.user == 0 && !may_be_root => Some("is root"),
        () if process.capabilities.chars().any(|digit| digit != '0') => Some("holds capabilities"),
        () if !process.no_new_privileges => Some("may gain privileges"),
        () if process.seccomp != FILTERED => Some("may make every system call"),
        () => None,
    }
}

/// How the kernel writes that a filter of system calls is in force.
const FILTERED: u8 = 2;
