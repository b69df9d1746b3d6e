//! The certificates that lie on machines. The proofs that judge them share the look.

use ringfort_model::act::{Act, CertFile, Next, Seen};
use ringfort_model::certificate::CertSeen;
use ringfort_model::name::NodeName;

use super::{Course, Gaps, Scene, words};

/// Shows `judge` every certificate on every machine, and gives how many it counted as the cluster's. A machine
/// with none of these is a gap, and so is a certificate that is not understood.
pub(crate) fn certificates(
    course: &mut Course<'_>,
    scene: &Scene,
    gaps: &mut Gaps,
    judge: impl Fn(&NodeName, &str, &CertSeen) -> Result<bool, Next>,
) -> Result<usize, Next> {
    let look = |node: &NodeName| Act::Certificates { node: node.clone() };
    let looks = course.step(scene.machines().map(look).collect())?;
    let mut count = 0;
    for (node, (_, seen)) in scene.machines().zip(looks) {
        let Seen::Certificates(files) = seen else {
            gaps.add(format!("{node}: {}", words(seen)));
            continue;
        };
        let before = count;
        for CertFile { path, certificate } in files {
            let Some(certificate) = certificate else {
                gaps.add(format!("{node}: {path} holds a certificate that is not understood"));
                continue;
            };
            count += usize::from(judge(node, path, certificate)?);
        }
        if count == before {
            gaps.add(format!("{node}: no certificate of the cluster's was found at all"));
        }
    }
    Ok(count)
}
