//! The components of a control plane: what each needs to run at all, before any control hardens it.

use ringfort_model::bundle::ImageEntry;

use crate::draft::{Component, Place};

pub(super) mod api_server;
pub(super) mod controllers;
pub(super) mod etcd;

/// Gives the reference of a component's image; its absence is noted as a fault.
fn image(at: &mut Place<'_, '_>, component: Component) -> String {
    let found: Option<ImageEntry<'_>> = at.draft().image(component.name());
    found.map(|image| image.reference.to_owned()).unwrap_or_default()
}
