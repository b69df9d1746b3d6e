//! Files that an operator brings for the store, piece by piece. Only a file's last piece is
//! answered, so what went wrong before is told then.

use std::collections::BTreeMap;
use std::io::Read as _;

use ringfort_model::causes::with_causes;
use ringfort_model::digest::Digest;
use ringfort_model::frame::{Answer, FRAME_LIMIT};

use crate::store::Store;

/// Files of which a piece was refused, and why.
#[derive(Default)]
pub(super) struct Supply {
    spoilt: BTreeMap<Digest, String>,
}

impl Supply {
    /// Takes a piece; without a store the operator may only look.
    pub(super) fn take(
        &mut self,
        store: Option<&Store>,
        digest: &Digest,
        offset: u64,
        last: bool,
        packed: bool,
        piece: &[u8],
    ) -> Option<Answer> {
        if offset == 0 {
            self.spoilt.remove(digest);
        }
        let received = match (store, self.spoilt.get(digest)) {
            (None, _) => Err("epoch 0 only looks: nothing is stored".to_owned()),
            (_, Some(why)) => Err(why.clone()),
            (Some(store), None) => whole(piece, packed).and_then(|piece| {
                store.receive(digest, offset, last, &piece).map_err(|error| with_causes(&error))
            }),
        };
        if let Err(why) = &received {
            self.spoilt.insert(digest.clone(), why.clone());
        }
        last.then(|| match received {
            Ok(()) => Answer::Stored(digest.clone()),
            Err(why) => Answer::Refused { why },
        })
    }
}

fn whole(piece: &[u8], packed: bool) -> Result<std::borrow::Cow<'_, [u8]>, String> {
    if !packed {
        return Ok(piece.into());
    }
    let mut plain = Vec::new();
    let limit = FRAME_LIMIT as u64 + 1;
    let read = flate2::read::ZlibDecoder::new(piece).take(limit).read_to_end(&mut plain);
    match read {
        Ok(_) if plain.len() > FRAME_LIMIT => Err("a packed piece is too large".to_owned()),
        Ok(_) => Ok(plain.into()),
        Err(error) => Err(format!("a packed piece cannot be unpacked: {error}")),
    }
}
