//! Who looks around.

pub(super) mod debug_paths;
pub(super) mod enumeration;
pub(super) mod first_list_everywhere;
pub(super) mod many_logs;
pub(super) mod own_rights_listed;
