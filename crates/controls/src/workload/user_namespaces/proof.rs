//! A pod that says nothing of it runs in a user namespace, and none may ask for the machine's users.

use ringfort_model::act::{Next, Speaker, Transcript};

use crate::proof::tries::{GUARD, Try, refused};
use crate::proof::{Scene, course, pass, pod};
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
        let said = "a pod runs in a user namespace, and none may ask for the machine's users";
        Ok(pass(said.to_owned(), course.so_far()))
    })
}
