//! What changed in a file, as tools read it.

use similar::TextDiff;

/// Gives a unified difference of a file before and after.
pub fn difference(name: &str, before: &str, after: &str) -> String {
    let difference = TextDiff::from_lines(before, after);
    let (from, to) = (format!("a/{name}"), format!("b/{name}"));
    difference.unified_diff().context_radius(3).header(&from, &to).to_string()
}
