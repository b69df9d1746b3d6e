//! What an API server itself says of pods that are expected to be let in, where it is asked by a dry run.
//!
//! It answers whoever asks. That it takes a pod shows the hole; that it refuses one says nothing of others, who may
//! be exempt, and makes nothing pass.
//!
//! Never here: the asking.

use std::collections::BTreeMap;

use ringfort_model::judgement::Gap;
use ringfort_model::pod_security::{Level, Policy, Version};
use serde_json::Value;

use super::{Outcome, samples};
use crate::pods::pods;

/// A pod that is expected to be let into a namespace.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The row that wants it refused.
    pub row: &'static str,
    /// The namespace that it is for.
    pub namespace: String,
    /// The pod.
    pub pod: Value,
    /// A pod for the same namespace that nothing is wrong with.
    pub faultless: Value,
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tried {
    /// The server takes it as it is.
    LetIn,
    /// The server takes it, and takes out what is wrong with it.
    Mended,
    /// The server refuses it with these words, and takes the pod that nothing is wrong with.
    Refused(String),
    /// Nothing that says anything, for this reason.
    Nothing(String),
}

/// What came of all trials, by row and namespace.
pub type Heard = BTreeMap<(&'static str, String), Tried>;

impl Trial {
    /// Says what it means that the server takes the pod and would keep it like this.
    pub fn taken(&self, kept: &Value) -> Tried {
        let restricted = Policy { level: Level::Restricted, version: Version::Latest };
        let kept = pods(kept);
        let is_faulty = kept.iter().any(|it| !it.judge(restricted).failures.is_empty());
        match (kept.is_empty(), is_faulty) {
            (true, _) => Tried::Nothing("the API server answered with no pod".to_owned()),
            (false, true) => Tried::LetIn,
            (false, false) => Tried::Mended,
        }
    }
}

impl Outcome {
    /// Gives the pods that an API server can be asked about. One that a certain user alone brings in is none: the
    /// server would answer for somebody else.
    pub(crate) fn trials(&self, row: &'static str) -> impl Iterator<Item = Trial> {
        self.open.iter().filter(|it| it.is_for_anybody).map(move |open| Trial {
            row,
            namespace: open.namespace.clone(),
            pod: open.pod.clone(),
            faultless: samples::faultless_in(&open.namespace),
        })
    }

    /// Lays what an API server said over what is expected of it.
    pub(crate) fn hear(&mut self, row: &'static str, heard: &Heard) {
        for mut open in std::mem::take(&mut self.open) {
            let tried = heard.get(&(row, open.namespace.clone()));
            let why = match tried {
                None => {
                    self.open.push(open);
                    continue;
                }
                Some(Tried::LetIn) => {
                    open.how.push_str("; the API server takes it in a dry run");
                    self.open.push(open);
                    continue;
                }
                Some(Tried::Nothing(why)) => {
                    open.how.push_str(&format!("; a dry run says nothing: {why}"));
                    self.open.push(open);
                    continue;
                }
                Some(Tried::Mended) => "takes out what is wrong with such a pod".to_owned(),
                Some(Tried::Refused(words)) => format!("refuses such a pod: {words}"),
            };
            let said = format!(
                "{}: {}, and yet the API server, asked by a dry run, {why}",
                open.namespace, open.how
            );
            let closes = format!("a label of Pod Security on {}", open.namespace);
            self.gaps.push(Gap { said, closes });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples;
    use super::{Heard, Outcome, Trial, Tried};
    use crate::admission::Open;

    fn outcome() -> Outcome {
        let open = |namespace: &str, is_for_anybody| Open {
            namespace: namespace.to_owned(),
            how: "nothing refuses it".to_owned(),
            pod: json!({"metadata": {"namespace": namespace}}),
            is_for_anybody,
        };
        Outcome {
            namespaces: 2,
            pods: 1,
            open: vec![open("shop", true), open("bank", false)],
            ..Outcome::default()
        }
    }

    fn hear(tried: Tried) -> Outcome {
        let mut outcome = outcome();
        outcome.hear("5.2.3", &Heard::from([(("5.2.3", "shop".to_owned()), tried)]));
        outcome
    }

    #[test]
    fn only_what_anybody_brings_in_is_tried() {
        let outcome = outcome();
        let trials: Vec<_> = outcome.trials("5.2.3").collect();
        assert_eq!(trials.len(), 1);
        assert_eq!(trials[0].namespace, "shop");
        assert_eq!(trials[0].faultless["metadata"]["namespace"], "shop");
    }

    #[test]
    fn a_refusal_makes_unknown_and_never_passes() {
        for (tried, word) in [
            (Tried::Refused("denied by hand".to_owned()), "denied by hand"),
            (Tried::Mended, "takes out"),
        ] {
            let outcome = hear(tried);
            assert_eq!(outcome.open.len(), 1);
            assert_eq!(outcome.open[0].namespace, "bank");
            assert!(outcome.gaps[0].said.contains(word), "{:?}", outcome.gaps);
            assert!(outcome.by.is_empty());
        }
    }

    #[test]
    fn what_is_let_in_or_not_tried_stays_open() {
        for (tried, word) in [
            (Tried::LetIn, "takes it in a dry run"),
            (Tried::Nothing("may not make pods".to_owned()), "may not make pods"),
        ] {
            let outcome = hear(tried);
            assert_eq!((outcome.open.len(), outcome.gaps.len()), (2, 0));
            assert!(outcome.open[0].how.contains(word), "{}", outcome.open[0].how);
            assert_eq!(outcome.open[1].how, "nothing refuses it");
        }
    }

    #[test]
    fn what_the_server_would_keep_decides() {
        let faultless = samples::faultless_in("shop");
        let mut pod = faultless.clone();
        pod["spec"]["hostPID"] = json!(true);
        let trial = Trial {
            row: "5.2.3",
            namespace: "shop".to_owned(),
            pod: pod.clone(),
            faultless: faultless.clone(),
        };
        assert_eq!(trial.taken(&pod), Tried::LetIn);
        assert_eq!(trial.taken(&faultless), Tried::Mended);
        assert!(matches!(trial.taken(&json!({"kind": "Status"})), Tried::Nothing(_)));
    }
}
