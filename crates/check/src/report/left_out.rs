//! What of a cluster is known to the others and not judged itself, and why.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Report;
use crate::upstream::Own;

/// Why an object is left out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// It is exactly what Kubernetes makes.
    Own(Own),
    /// It is about to be gone.
    Deleted,
}

impl Why {
    fn said(self) -> &'static str {
        match self {
            Self::Own(Own::Right) => "roles and bindings that API servers make at their start",
            Self::Own(Own::Account) => {
                "accounts that the controller manager makes for its controllers, and no pod runs as"
            }
            Self::Own(Own::ConfigMap) => "ConfigMaps that API servers make",
            Self::Deleted => "objects that are being deleted",
        }
    }
}

/// Objects that are left out for one reason.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LeftOut {
    /// How many.
    pub objects: usize,
    /// What they are.
    pub what: &'static str,
    /// Why they are left out.
    #[serde(skip)]
    pub why: Why,
}

impl LeftOut {
    /// Counts objects by why they are left out.
    pub fn count(each: impl Iterator<Item = Why>) -> Vec<Self> {
        let mut counted: BTreeMap<Why, usize> = BTreeMap::new();
        each.for_each(|why| *counted.entry(why).or_default() += 1);
        counted.into_iter().map(|(why, objects)| Self { objects, what: why.said(), why }).collect()
    }

    /// Says it in a line, for people.
    pub fn in_a_line(&self) -> String {
        format!("left out: {} {}", self.objects, self.what)
    }
}

impl Report {
    /// Says how many objects were left out; nothing where none was.
    pub(crate) fn more(&self) -> String {
        match self.left_out.iter().map(|it| it.objects).sum::<usize>() {
            0 => String::new(),
            more => format!(" ({more} more are left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LeftOut, Why};
    use crate::profile::Profile;
    use crate::report::{Report, markdown};
    use crate::upstream::Own;
    use crate::world::World;

    #[test]
    fn what_is_left_out_is_counted_in_a_line_for_each_reason() {
        let mut report = Report::new(World::Closed, Profile::All, &[]);
        assert!(report.in_a_line().contains("objects 0, "), "{}", report.in_a_line());
        let each = [Why::Deleted, Why::Own(Own::Right), Why::Own(Own::Account), Why::Deleted];
        report.left_out = LeftOut::count(each.into_iter());
        assert!(report.in_a_line().contains("objects 0 (4 more are left out), "));
        let lines: Vec<String> = report.left_out.iter().map(LeftOut::in_a_line).collect();
        assert_eq!(
            lines,
            [
                "left out: 1 roles and bindings that API servers make at their start",
                "left out: 1 accounts that the controller manager makes for its controllers, and no pod runs as",
                "left out: 2 objects that are being deleted",
            ]
        );
        let page = markdown(&report);
        assert!(lines.iter().all(|line| page.contains(&format!("\n- {line}\n"))), "{page}");
        let json = serde_json::to_value(&report).unwrap();
        let of_deleted =
            serde_json::json!({"objects": 2, "what": "objects that are being deleted"});
        assert_eq!(json["leftOut"][2], of_deleted);
    }
}
