//! Any text is fixed to one that reads, of as many documents, and that a second run leaves alone; or it is
//! left as it is.

use ringfort_check::fix::{Asked, Fixed, controls, fix};
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest;

/// Reads bytes as manifests and fixes them.
pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some((fixed, documents)) = fixed(&text) else { return };
    assert_eq!(fixed.text.is_some(), !fixed.fixes.is_empty());
    let Some(after) = fixed.text else { return };
    let (again, read) = self::fixed(&after).expect("what was fixed cannot be read");
    assert_eq!(read, documents, "{after}");
    assert_eq!(again.text, None, "a second run changes\n{after}");
}

fn fixed(text: &str) -> Option<(Fixed, usize)> {
    let documents = manifest::read(text).ok()?;
    let mut objects = Objects::new(World::Open, None);
    for (document, read) in documents.iter().enumerate() {
        objects.add(Origin { file: 0, document }, read.value());
    }
    let controls: Vec<&str> = controls().collect();
    let asked = Asked { controls: &controls, waivers: None };
    Some((fix(text, &documents, (&objects, 0), asked), documents.len()))
}
