//! Any bytes are frames, or refused; how they are cut on their way makes no difference, and a
//! machine that hears them neither falls over nor acts for somebody who holds no lock.

use std::fmt::Debug;

use ringfort_engine::node::{Effect, Input, Node, Tenure};
use ringfort_model::frame::{Answer, Decoder, FrameError, Request, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads bytes as requests and as answers. The first byte says how they are cut.
pub fn holds(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let size = usize::from(*first).max(1);
    hear::<Answer>(bytes, size);
    answer(hear::<Request>(bytes, size));
}

fn hear<T: Clone + Debug + DeserializeOwned + PartialEq + Serialize>(
    bytes: &[u8],
    size: usize,
) -> Vec<T> {
    let whole = frames::<T>([bytes]);
    assert_eq!(whole, frames(bytes.chunks(size)), "cut into pieces of {size}");
    let (heard, _) = whole;
    let again: Vec<u8> = heard.iter().flat_map(|(head, tail)| encode(head, tail)).collect();
    assert_eq!(frames([again.as_slice()]), (heard.clone(), None), "said again");
    heard.into_iter().map(|(head, _)| head).collect()
}

/// Frames, and what was wrong with the bytes behind them.
type Heard<T> = (Vec<(T, Vec<u8>)>, Option<FrameError>);

fn frames<'a, T: DeserializeOwned>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard<T> {
    let mut decoder = Decoder::default();
    let mut heard = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.pop() {
                Ok(Some(frame)) => heard.push(frame),
                Ok(None) => break,
                Err(error) => return (heard, Some(error)),
            }
        }
    }
    (heard, None)
}

/// Has a machine hear requests whose lock somebody else holds.
fn answer(requests: Vec<Request>) {
    let (mut node, _) = Node::open(b"", Tenure::default()).expect("an empty journal is one");
    for request in requests {
        let mut effects = Vec::new();
        node.on(Input::Heard(request), &mut effects);
        let refused = Input::Locked(Err("somebody else".to_owned()));
        if effects.iter().any(|effect| matches!(effect, Effect::Lock { .. })) {
            node.on(refused, &mut effects);
        }
        for effect in &effects {
            let acts = matches!(effect, Effect::Perform { .. } | Effect::Append { .. });
            assert!(
                !acts && !matches!(effect, Effect::Store(_)),
                "acts without the lock: {effect:?}"
            );
        }
    }
}
