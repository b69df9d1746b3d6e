//! Which programs run.

pub mod agreed_registries;
mod image;
pub mod images_are_pulled;
pub mod images_by_digest;
pub mod images_have_versions;
pub mod images_name_their_registry;
pub mod kubelets_are_supported;
pub mod no_abandoned_images;
pub mod no_known_holes;
