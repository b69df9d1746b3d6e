//! Every object of an add-on is there, and says what its file says.

use ringfort_model::act::{Ask, Next, Transcript};
use ringfort_model::judgement::Decided;

use crate::proof::written::differs;
use crate::proof::{Gaps, Scene, course, done, fail, pass};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    if scene.addons.is_empty() {
        let reason = "cluster.yaml names no add-ons".to_owned();
        return done(Ok(Decided::NotApplicable { reason }));
    }
    course(transcript, |course| {
        let mut gaps = Gaps::default();
        // Controllers of an add-on's own may fill in what its files leave open.
        if let Some(said) = differs(course, scene, &scene.addons, Ask::AsNamed, &mut gaps)? {
            return Ok(fail(said, "find out who changed it; ringfort up puts it back"));
        }
        gaps.close()?;
        let said =
            format!("{} objects of add-ons are there as their files say", scene.addons.len());
        Ok(pass(said, course.so_far()))
    })
}
