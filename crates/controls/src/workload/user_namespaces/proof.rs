//! A pod that says nothing of it runs in a user namespace, and none may ask for the machine's users.

use serde_json::json;

use ringfort_model::act::{Next, Speaker, Transcript};
use ringfort_model::judgement::Decided;

use crate::proof::tries::{GUARD, Try, all_refused};
use crate::proof::{Scene, pass, pod};
use crate::workload::filled::filled;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let said = "a pod runs in a user namespace, and none may ask for the machine's users";
    let planes = scene.control_planes.len().min(transcript.len());
    let filling =
        filled(scene, &transcript[..planes], |_| {}, "/spec/hostUsers", &json!(false), said);
    let Next::Done(Ok(Decided::Pass(_))) = filling else { return filling };
    let mut bad = pod::restricted(scene, "canary-users");
    bad["spec"]["hostUsers"] = true.into();
    let tries = [Speaker::Unbound, Speaker::Admin].map(|speaker| {
        Try::create("run a pod with the machine's users", speaker, bad.clone(), GUARD)
    });
    match all_refused(scene, &transcript[planes..], &[], &tries, said) {
        Next::Done(Ok(Decided::Pass(_))) => pass(said.to_owned(), transcript),
        other => other,
    }
}
