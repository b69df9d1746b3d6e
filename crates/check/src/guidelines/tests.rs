use std::collections::BTreeSet;

use super::{GUIDELINES, find};

#[test]
fn ids_are_in_order_and_name_their_group() {
    let ids: BTreeSet<_> = GUIDELINES.iter().map(|guideline| guideline.id).collect();
    assert_eq!(ids.len(), GUIDELINES.len());
    assert!(GUIDELINES.is_sorted_by_key(|guideline| guideline.id));
    for id in ids {
        assert_eq!(id.split('/').count(), 2, "{id}");
        assert!(find(id).is_some(), "{id}");
    }
}

#[test]
fn every_guideline_is_explained() {
    for guideline in GUIDELINES {
        for heading in ["## Why\n", "## When\n", "## How\n"] {
            let text = guideline.doc.split(heading).nth(1).unwrap_or_default();
            let text = text.split("\n## ").next().unwrap_or_default().trim();
            assert!(text.len() > 10, "{}: {heading}", guideline.id);
        }
        assert!(guideline.title.starts_with(char::is_uppercase), "{}", guideline.id);
        assert!(!guideline.title.ends_with('.'), "{}", guideline.id);
        assert!(guideline.why().len() > 20, "{}: {}", guideline.id, guideline.why());
    }
}
