//! Rules about the section `integrity`: that paths are looked at by somebody.

use crate::integrity::WrittenRepair;
use crate::parsed::Parsed;
use crate::report::Problem;

pub(super) fn look(parsed: &Parsed) -> Vec<Problem> {
    let written = &parsed.written.integrity;
    let is_unused = written.repair == WrittenRepair::Up && !written.paths.is_empty();
    if !is_unused || !parsed.sound("/integrity/repair") {
        return Vec::new();
    }
    let at = parsed.key_at("/integrity/paths");
    let message = "nobody looks at `paths`: no agent puts anything back";
    let problem = Problem::new("unused-field", at, message);
    vec![problem.help("write `repair: automatic` beside it, or remove it")]
}
