//! Files have the modes and owners that the blueprint gives them, on every machine: secrets are for whom
//! they are made for alone.

use ringfort_model::act::{Act, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Gaps, Scene, course, fail, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let look = |node: &NodeName| {
            let paths = scene.files.get(node).into_iter().flat_map(|files| files.keys().cloned());
            Act::Files { node: node.clone(), paths: paths.collect() }
        };
        let seen = course.step(scene.machines().map(look).collect())?;
        let mut gaps = Gaps::default();
        let mut count = 0;
        for (node, (_, seen)) in scene.machines().zip(seen) {
            let Seen::Files(found) = seen else {
                gaps.add(format!("{node}: {}", words(seen)));
                continue;
            };
            for (path, expected) in scene.files.get(node).into_iter().flatten() {
                match found.get(path) {
                    Some(file) if file == expected => count += 1,
                    Some(file) => {
                        return Ok(fail(
                            format!(
                                "{node}: {path} has mode {} and owner {}:{}, not {} and {}:{}",
                                file.mode,
                                file.user,
                                file.group,
                                expected.mode,
                                expected.user,
                                expected.group
                            ),
                            "ringfort up",
                        ));
                    }
                    None => gaps.add(format!("{node}: {path} is not there")),
                }
            }
        }
        gaps.close()?;
        Ok(pass(
            format!(
                "{count} files and directories on {} machines have the modes and owners that they were given",
                seen.len()
            ),
            course.so_far(),
        ))
    })
}
