//! A pod that says nothing of it runs in a user namespace, and none may ask for the machine's users.

use ringfort_model::act::{Next, Speaker, Transcript};

use crate::proof::inside::inside;
use crate::proof::tries::{GUARD, Try, refused};
use crate::proof::{Gaps, Scene, course, fail, pass, pod};
use crate::workload::filled::{Filling, fill};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let filling = Filling { unsay: |_| {}, at: "/spec/hostUsers", value: false.into() };
        fill(course, scene, &filling)?;
        let mut bad = pod::restricted(scene, "canary-users");
        bad["spec"]["hostUsers"] = true.into();
        let tries = [Speaker::Unbound, Speaker::Admin].map(|speaker| {
            Try::create("run a pod with the machine's users", speaker, bad.clone(), GUARD)
        });
        refused(course, scene, &[], &tries)?;
        let mut gaps = Gaps::default();
        for found in inside(course, scene)? {
            match found.told.get("Users").map(|users| first_user(users)) {
                Some(Some(first)) if first > 0 => {}
                Some(Some(_)) => {
                    let said = format!("{}: inside a pod, users are the machine's own", found.node);
                    return Ok(fail(said, "check the admission configuration: ringfort up"));
                }
                _ => gaps.add(format!("{}: a pod tells nothing of its users", found.node)),
            }
        }
        gaps.close()?;
        let said = format!(
            "a pod's users are nobody on the machine, as each of {} workers shows from inside, and none may ask for the machine's",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Which user of the machine is the pod's first, of what the kernel maps.
fn first_user(users: &str) -> Option<u32> {
    users.split(' ').nth(1)?.parse().ok()
}
