//! Which programs run.

mod image;
pub mod images_are_pulled;
pub mod images_by_digest;
pub mod images_have_versions;
pub mod images_name_their_registry;
pub mod no_abandoned_images;
