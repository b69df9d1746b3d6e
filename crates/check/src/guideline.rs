//! What a guideline is: plain data, and what is asked of which objects.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::Grant;
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene, Scene};

/// One thing that is asked of objects before they are given to a cluster.
#[derive(Debug)]
pub struct Guideline {
    /// Names it by what it ensures, such as `workload/own-network`.
    pub id: &'static str,
    /// Says in one sentence what holds when it is kept.
    pub title: &'static str,
    /// How much is at stake.
    pub severity: Severity,
    /// Where others ask for it.
    pub refs: &'static [Ref],
    /// Why, when and how, in Markdown.
    pub doc: &'static str,
    pub(crate) judge: Judge,
}

impl Guideline {
    /// Says in one sentence why it matters: the first of its page.
    pub fn why(&self) -> String {
        let section = self.doc.split("## Why\n").nth(1).unwrap_or_default();
        let words = section.split("\n## ").next().unwrap_or_default().split_whitespace();
        let mut sentence = String::new();
        for word in words {
            sentence.push_str(word);
            if word.ends_with('.') {
                break;
            }
            sentence.push(' ');
        }
        sentence.trim_end_matches(['.', ' ']).to_owned()
    }
}

/// How it is judged. What is asked of pods is asked of templates of pods as well.
#[derive(Debug)]
pub(crate) enum Judge {
    /// Pods, by the check of the Pod Security Standards with this id.
    Standard(&'static str),
    /// Pods.
    Pod(fn(&PodScene<'_>, &mut Sheet)),
    /// Pods, and PersistentVolumes, which hold what pods mount by a claim.
    Volumes(fn(&PodScene<'_>, &mut Sheet), fn(&Scene<'_>, &mut Sheet)),
    /// Every container of pods.
    Container(fn(&PodScene<'_>, &Container<'_>, &mut Sheet)),
    /// Roles: that they give none of these rights.
    Grants(&'static [Grant]),
    /// Objects of these kinds.
    Object(&'static [&'static str], fn(&Scene<'_>, &mut Sheet)),
    /// Waivers, once everything else is judged.
    Waiver,
}
