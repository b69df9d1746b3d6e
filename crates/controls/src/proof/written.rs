//! Objects of the API as they were written.

use serde_json::Value;

use ringfort_model::act::{Ask, Seen};
use ringfort_model::api_object::ObjectKey;

use super::{Course, Gaps, Next, Scene, words};

/// Compares objects with what was written, and says in words where the first is that differs.
pub(crate) fn differs(
    course: &mut Course<'_>,
    scene: &Scene,
    written: &[Value],
    compare: fn(Value) -> Ask,
    gaps: &mut Gaps,
) -> Result<Option<String>, Next> {
    let look = |object: &Value| scene.ask(compare(object.clone()));
    let looked = course.step(written.iter().map(look).collect())?;
    for (object, (_, seen)) in written.iter().zip(looked) {
        let which = ObjectKey::of(object);
        match seen {
            Seen::Lines(paths) if paths.is_empty() => {}
            Seen::Lines(paths) => {
                let said = format!("{which} is not what was written: {}", paths.join(", "));
                return Ok(Some(said));
            }
            Seen::Absent => return Ok(Some(format!("{which} is not there"))),
            other => gaps.add(format!("{which}: {}", words(other))),
        }
    }
    Ok(None)
}
