//! Any bytes are events, something else, or faults that are told; how they are cut on their way makes no
//! difference.

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_audit::lines::Lines;

/// Reads bytes as a log. The first byte says how they are cut.
pub fn holds(bytes: &[u8]) {
    let Some((first, log)) = bytes.split_first() else { return };
    let whole = judge([log]);
    assert_eq!(whole, judge(log.chunks(usize::from(*first).max(1))), "cut into pieces of {first}");
}

/// What is said of a log: of each line with something in it, at least one word.
fn judge<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut engine, mut findings) = (Engine::new(DETECTIONS), Vec::new());
    let mut said = Vec::new();
    let mut lines = Lines::default();
    let mut visit = |place: ringfort_audit::lines::Place, line: Result<&[u8], _>| match line {
        Ok(line) => each(line, &mut |found| match found {
            Found::Event(event) => {
                let why = engine.judge(event, &mut findings);
                said.extend(findings.drain(..).map(|it| format!("{place:?} {it}")));
                said.push(format!("{place:?} {why:?}"));
            }
            other => said.push(format!("{place:?} {other:?}")),
        }),
        Err(why) => said.push(format!("{place:?} {why}")),
    };
    pieces.into_iter().for_each(|piece| lines.push(piece, &mut visit));
    lines.finish(&mut visit);
    said
}
