//! Somebody runs an image for the first time.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/first-image",
    title: "Somebody runs an image for the first time",
    severity: Severity::Low,
    because: "who brings a program of his own brings it as an image",
    attack: &["T1610"],
    needs: &[POD_WRITTEN],
    doc: include_str!("first_image.md"),
    judge: Judge::First(First {
        of,
        said: "images that it did not run before",
        known_seconds: 86400,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let mut images: Vec<&str> = scene
        .pod()?
        .containers()
        .map(|container| repository(container.at("image").text()))
        .collect();
    images.retain(|image| !image.is_empty());
    images.sort_unstable();
    images.dedup();
    (!images.is_empty()).then(|| (scene.actor(), number(&images)))
}

/// The name of an image without tag and digest: another version of it is none of its own.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}
