//! What is destroyed or taken.

pub(super) mod deleted_by_force;
pub(super) mod eviction_wave;
pub(super) mod finalizers_removed;
pub(super) mod mass_deletion;
pub(super) mod namespace_deleted;
pub(super) mod storage_deleted;
pub(super) mod surge;
