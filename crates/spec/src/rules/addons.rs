//! Rules about add-ons: each has files, and a name of its own.

use std::collections::BTreeMap;

use crate::parsed::Parsed;
use crate::report::Problem;

pub(super) fn look(parsed: &Parsed) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = BTreeMap::new();
    for (index, addon) in parsed.written.addons.iter().enumerate() {
        let Some(addon) = addon else { continue };
        let path = format!("/addons/{index}");
        if addon.files.as_ref().is_some_and(Vec::is_empty) {
            let at = parsed.key_at(&format!("{path}/files"));
            let problem = Problem::new("no-files", at, "the add-on has no files");
            problems.push(problem.help("name the files of its manifests, or remove it"));
        }
        let Some(name) = &addon.name else { continue };
        let at = parsed.value_at(&format!("{path}/name"));
        if let Some(first) = seen.insert(name, at.clone()) {
            let problem =
                Problem::new("duplicate-addon", at, format!("two add-ons are called {name}"));
            let problem = problem.label("again here").also(first, "first here");
            problems.push(problem.help("give one of them another name, or put them together"));
        }
    }
    problems
}
