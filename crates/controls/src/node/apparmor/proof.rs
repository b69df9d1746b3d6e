//! The kernel says of a pod's process on every worker that has AppArmor that a profile confines it.

use ringfort_model::act::{Act, Next, Seen, Transcript};
use ringfort_model::judgement::Decided;

use crate::proof::inside::{Inside, PROGRAM, inside};
use crate::proof::{Gaps, Scene, course, done, fail, pass, words};

/// How the kernel writes that a profile refuses what it does not allow.
const ENFORCED: &str = " (enforce)";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let is_off = |worker| !scene.app_armor.contains(worker);
    if !scene.workers.is_empty() && scene.workers.iter().all(is_off) {
        let reason = "the specification says of every worker that AppArmor is off".to_owned();
        return done(Ok(Decided::NotApplicable { reason }));
    }
    course(transcript, |course| {
        let mut pods = inside(course, scene)?;
        pods.retain(|Inside { node, .. }| scene.app_armor.contains(node));
        let look = |Inside { node, .. }: &Inside| Act::Processes {
            node: node.clone(),
            names: vec![PROGRAM.to_owned()],
        };
        let seen = course.step(pods.iter().map(look).collect())?;
        let mut gaps = Gaps::default();
        for (Inside { node, .. }, (_, seen)) in pods.iter().zip(seen) {
            let processes = match seen {
                Seen::Processes(all) if !all.is_empty() => all,
                Seen::Processes(_) => {
                    gaps.add(format!("{node}: a pod's process was not found"));
                    continue;
                }
                other => {
                    gaps.add(format!("{node}: {}", words(other)));
                    continue;
                }
            };
            for profile in processes.iter().map(|process| process.app_armor.as_deref()) {
                match profile {
                    Some(profile) if profile.ends_with(ENFORCED) => {}
                    Some(profile) => {
                        let said = format!("{node}: AppArmor has a pod's process as {profile}");
                        let fix =
                            "look at disable_apparmor of that worker's containerd: ringfort up";
                        return Ok(fail(said, fix));
                    }
                    None => gaps.add(format!("{node}: the kernel tells of no AppArmor profile")),
                }
            }
        }
        gaps.close()?;
        let said = format!(
            "AppArmor confines a pod that asks for nothing, on each of {} workers that have it",
            pods.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ringfort_model::act::Next;
    use ringfort_model::judgement::Decided;

    use super::{Scene, next};

    #[test]
    fn it_is_asked_where_the_specification_has_it() {
        let none = Scene { app_armor: BTreeSet::new(), ..Scene::sample() };
        let said = next(&none, &Vec::new());
        assert!(matches!(said, Next::Done(Ok(Decided::NotApplicable { .. }))), "{said:?}");
        let one = Scene { app_armor: none.workers.iter().take(1).cloned().collect(), ..none };
        assert!(matches!(next(&one, &Vec::new()), Next::Do(_)));
    }
}
