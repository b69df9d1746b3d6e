//! The kernel of every machine has the settings, whoever set others meanwhile.

use ringfort_model::act::{Act, Next, Seen, Transcript};
use ringfort_model::kernel::OF_KUBELETS;
use ringfort_model::name::NodeName;

use crate::proof::{Gaps, Scene, course, fail, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let names: Vec<String> = OF_KUBELETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let look = |node: &NodeName| Act::Kernel { node: node.clone(), names: names.clone() };
        let seen = course.step(scene.machines().map(look).collect())?;
        let mut gaps = Gaps::default();
        for (node, (_, seen)) in scene.machines().zip(seen) {
            let Seen::Values(values) = seen else {
                gaps.add(format!("{node}: {}", words(seen)));
                continue;
            };
            for (name, expected) in OF_KUBELETS {
                match values.get(name) {
                    Some(value) if value == expected => {}
                    Some(value) => {
                        return Ok(fail(
                            format!("{node}: {name} is {value}, not {expected}"),
                            "who else sets it, such as a file in /etc/sysctl.d? ringfort up",
                        ));
                    }
                    None => gaps.add(format!("{node}: {name} cannot be read")),
                }
            }
        }
        gaps.close()?;
        Ok(pass(
            format!("{} settings are in force on {} machines", OF_KUBELETS.len(), seen.len()),
            course.so_far(),
        ))
    })
}
