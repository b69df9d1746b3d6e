//! The paths that what runs on a machine names: in flags, and in files that flags name. Pure.

use std::collections::BTreeSet;

use ringfort_model::machine::{MachineFacts, Observed};

use crate::path::FilePath;

/// Lists the paths on the machine of all files that its components name, and what could not be said
/// of one: a file that moved because a flag changed is protected where it is now.
pub fn named(facts: &MachineFacts) -> (Vec<FilePath>, Vec<String>) {
    let (mut paths, mut gaps) = (BTreeSet::new(), Vec::new());
    for (name, component) in &facts.components {
        for (inside, place) in &component.places {
            match place {
                Observed::Known(place) => match place.parse::<FilePath>() {
                    Ok(path) => drop(paths.insert(path)),
                    Err(error) => gaps.push(format!("{inside}, which {name} names: {error}")),
                },
                Observed::Absent => {}
                Observed::Gap(unseen) => {
                    gaps.push(format!("{inside}, which {name} names: {}", unseen.why));
                }
            }
        }
    }
    (paths.into_iter().collect(), gaps)
}

#[cfg(test)]
mod tests {
    use ringfort_model::machine::MachineFacts;

    use super::named;

    #[test]
    fn places_are_paths_and_what_is_not_known_is_told() {
        let facts = r#"{"apiVersion":"facts.ringfort.dev/v1","kind":"MachineFacts","name":{"known":"a"},
            "components":{"kube-apiserver":{"processes":"absent","release":"absent","texts":{},"below":{},
            "places":{"/p/policy.yaml":{"known":"/srv/policy.yaml"},"/gone":"absent","/odd":{"known":"odd"},
            "/dark":{"gap":{"at":"/dark","why":"permission denied","closes":"root"}}}}},
            "files":{},"below":{},"certificates":{},"kernel":{},"accounts":"absent"}"#;
        let (paths, gaps) = named(&MachineFacts::read(facts).unwrap());
        assert_eq!(paths, ["/srv/policy.yaml".parse().unwrap()]);
        assert_eq!(gaps.len(), 2, "{gaps:?}");
        assert!(gaps[0].contains("/dark") && gaps[0].contains("permission denied"), "{gaps:?}");
    }
}
