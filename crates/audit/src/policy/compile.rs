//! From needs to rules.

use std::collections::{BTreeMap, BTreeSet};

use super::classes::{self, VERBS, most, needed};
use super::{Blind, Policy, Request, Rule};
use crate::caller;
use crate::detection::{Detection, Of};
use crate::event::{Level, Stage};

/// What is never written down with its body.
pub(super) const CAPPED: [(&str, &str); 4] = [
    ("", "configmaps"),
    ("", "secrets"),
    ("", "serviceaccounts/token"),
    ("authentication.k8s.io", "tokenreviews"),
];

/// What is not written down, unless a detection needs it. Each names who asks and what for, so that nobody
/// else hides in it.
pub(super) struct Quiet {
    why: &'static str,
    users: &'static [&'static str],
    groups: &'static [&'static str],
    verbs: &'static [&'static str],
    pub(super) resources: &'static [(&'static str, &'static str)],
    namespaces: &'static [&'static str],
    paths: &'static [&'static str],
    /// Whether all components are meant.
    components: bool,
}

const QUIET_ANY: Quiet = Quiet {
    why: "",
    users: &[],
    groups: &[],
    verbs: &[],
    resources: &[],
    namespaces: &[],
    paths: &[],
    components: false,
};

const EVENTS: &[(&str, &str)] = &[("", "events"), ("events.k8s.io", "events")];

pub(super) const QUIET: &[Quiet] = &[
    Quiet {
        why: "kube-proxy follows Services all the time",
        users: &["system:kube-proxy"],
        verbs: &["watch"],
        resources: &[("", "endpoints"), ("", "services"), ("discovery.k8s.io", "endpointslices")],
        ..QUIET_ANY
    },
    Quiet {
        why: "each kubelet reads its own node every few seconds",
        groups: &["system:nodes"],
        verbs: &["get"],
        resources: &[("", "nodes"), ("", "nodes/status")],
        ..QUIET_ANY
    },
    Quiet {
        why: "each kubelet renews its lease every ten seconds",
        groups: &["system:nodes"],
        verbs: &["get", "update"],
        resources: &[("coordination.k8s.io", "leases")],
        namespaces: &["kube-node-lease"],
        ..QUIET_ANY
    },
    Quiet {
        why: "servers, controllers and schedulers renew their leases every few seconds",
        users: &["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"],
        verbs: &["get", "update"],
        resources: &[("coordination.k8s.io", "leases")],
        namespaces: &["kube-system"],
        ..QUIET_ANY
    },
    Quiet {
        why: "API servers read namespaces for themselves",
        users: &["system:apiserver"],
        verbs: &["get"],
        resources: &[("", "namespaces"), ("", "namespaces/status"), ("", "namespaces/finalize")],
        ..QUIET_ANY
    },
    Quiet {
        why: "health is asked for every second, by anybody",
        verbs: &["get"],
        paths: &crate::engine::HEALTH,
        ..QUIET_ANY
    },
    Quiet {
        why: "events of kubelets are many, and tell of what other requests did",
        groups: &["system:nodes"],
        verbs: &["create", "update", "patch"],
        resources: EVENTS,
        ..QUIET_ANY
    },
    Quiet {
        why: "events of components are many, and tell of what other requests did",
        components: true,
        verbs: &["create", "update", "patch"],
        resources: EVENTS,
        ..QUIET_ANY
    },
];

/// Compiles the policy that feeds detections.
pub fn compile(detections: &[&'static Detection]) -> Policy {
    let mut rules: Vec<Rule> =
        QUIET.iter().filter_map(|quiet| quiet_rule(quiet, detections)).collect();
    rules.push(Rule {
        resources: grouped(&CAPPED),
        ..Rule::any(Level::Metadata, "bodies hold secrets")
    });
    let demands = demands(detections);
    if !demands.is_empty() {
        rules.push(Rule {
            users: caller::components().collect(),
            ..Rule::any(Level::Metadata, "components write what others asked for, and that is seen")
        });
    }
    rules.extend(demands);
    let rest = |detection: &&&'static Detection| {
        detection.needs.iter().any(|need| need.level == Level::Metadata)
    };
    rules.push(Rule {
        feeds: detections.iter().filter(rest).map(|detection| detection.id).collect(),
        ..Rule::any(Level::Metadata, "who did what is written down of everything else")
    });
    Policy { rules, omitted: omitted(detections) }
}

/// A quiet rule with what a detection needs taken out; nothing if nothing is left.
fn quiet_rule(quiet: &Quiet, detections: &[&'static Detection]) -> Option<Rule> {
    let users: Vec<String> = match quiet.components {
        true => caller::components().collect(),
        false => quiet.users.iter().map(|user| (*user).to_owned()).collect(),
    };
    let mut rule = Rule {
        users,
        groups: quiet.groups.to_vec(),
        verbs: quiet.verbs.to_vec(),
        resources: grouped(quiet.resources),
        namespaces: quiet.namespaces.to_vec(),
        paths: quiet.paths.to_vec(),
        ..Rule::any(Level::None, quiet.why)
    };
    // Who has only half of a node's identity is told with the blind spots.
    let is_whole = |request: &Request<'_>| request.user != "made-up";
    let mut missed: BTreeSet<&str> = BTreeSet::new();
    classes::each(detections, &mut |request| {
        if rule.fits(request) && is_whole(request) {
            let is_needed = |detection: &&&Detection| needed(detection, request) > Level::None;
            if detections.iter().any(|it| is_needed(&it)) {
                missed.extend(VERBS.iter().find(|verb| **verb == request.verb));
            }
        }
    });
    rule.verbs.retain(|verb| !missed.contains(verb));
    (!rule.verbs.is_empty()).then_some(rule)
}

/// What verbs on what resources have to be written down with bodies: one rule for each level and set of verbs.
fn demands(detections: &[&'static Detection]) -> Vec<Rule> {
    type Wanted = BTreeMap<(&'static str, &'static str), BTreeMap<&'static str, Level>>;
    let mut wanted = Wanted::new();
    let mut feeds: BTreeMap<(&str, &str), BTreeSet<&'static str>> = BTreeMap::new();
    for detection in detections {
        for need in detection.needs.iter().filter(|need| need.level >= Level::Request) {
            let Of::Resources(resources) = need.of else { continue };
            for of in resources.iter().filter(|of| !CAPPED.contains(of)) {
                let verbs = if need.verbs.is_empty() { &VERBS[..8] } else { need.verbs };
                for verb in verbs {
                    let level = wanted.entry(*of).or_default().entry(verb).or_insert(need.level);
                    *level = (*level).max(need.level);
                }
                feeds.entry(*of).or_default().insert(detection.id);
            }
        }
    }
    type Kinds = BTreeMap<(Level, Vec<&'static str>), Vec<(&'static str, &'static str)>>;
    let mut of_kind = Kinds::new();
    for (of, verbs) in &wanted {
        for level in [Level::RequestResponse, Level::Request] {
            let of_level = verbs.iter().filter(|(_, it)| **it == level).map(|(verb, _)| *verb);
            let of_level: Vec<_> = of_level.collect();
            if !of_level.is_empty() {
                of_kind.entry((level, of_level)).or_default().push(*of);
            }
        }
    }
    let rule = |((level, verbs), resources): ((Level, Vec<&'static str>), Vec<_>)| {
        let fed: BTreeSet<&str> = resources.iter().flat_map(|of| &feeds[of]).copied().collect();
        let why = match level {
            Level::RequestResponse => "what became of these objects is judged",
            _ => "what is asked for is judged",
        };
        let (resources, feeds) = (grouped(&resources), fed.into_iter().collect());
        Rule { verbs, resources, feeds, ..Rule::any(level, why) }
    };
    of_kind.into_iter().rev().map(rule).collect()
}

fn grouped(all: &[(&'static str, &'static str)]) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, resource) in all {
        groups.entry(group).or_default().push(resource);
    }
    groups.into_iter().collect()
}

fn omitted(detections: &[&'static Detection]) -> Vec<Stage> {
    let needs = || detections.iter().flat_map(|detection| detection.needs);
    let is_needed = |stage| needs().any(|need| need.stages.contains(&stage));
    [Stage::RequestReceived].into_iter().filter(|stage| !is_needed(*stage)).collect()
}

/// Finds what is needed and not written down, among all classes of requests: that takes longer than to compile.
pub fn blind_spots(policy: &Policy, detections: &[&'static Detection]) -> Vec<Blind> {
    let mut found = BTreeSet::new();
    classes::each(detections, &mut |request| {
        let written = policy.level(request);
        for detection in detections.iter().filter(|it| needed(it, request) > written) {
            let why = match most(request) < needed(detection, request) {
                true => "bodies of it hold secrets, and are never written down",
                false => {
                    "who is in the group system:nodes without the name of a node is not told from one"
                }
            };
            let resource = match (request.group, request.resource) {
                ("", resource) => resource.to_owned(),
                (group, resource) => format!("{resource}.{group}"),
            };
            found.insert(Blind { detection: detection.id, resource, why });
        }
    });
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::{Fed, Who};
    use crate::detections::{self, DETECTIONS, FED};

    /// Whether anybody's needs are only about others than components, so that components can be told apart.
    fn is_about_others(detections: &[&'static Detection]) -> bool {
        let needs = detections.iter().flat_map(|detection| detection.needs);
        needs.filter(|need| need.level >= Level::Request).all(|need| need.who != Who::Anyone)
    }

    #[test]
    fn every_detection_is_fed_but_for_the_blind_spots_that_are_told() {
        let policy = compile(DETECTIONS);
        let blind = blind_spots(&policy, DETECTIONS);
        assert!(is_about_others(DETECTIONS));
        let mut looked = 0_u64;
        classes::each(DETECTIONS, &mut |request| {
            let written = policy.level(request);
            assert!(written <= most(request), "{request:?}");
            for detection in DETECTIONS {
                looked += 1;
                if needed(detection, request) > written {
                    let is_told = |blind: &Blind| blind.detection == detection.id;
                    assert!(blind.iter().any(is_told), "{} {request:?}", detection.id);
                    let is_capped = needed(detection, request) > most(request);
                    assert!(is_capped || request.user == "made-up", "{} {request:?}", detection.id);
                }
            }
        });
        println!("{looked} pairs of a request and a detection, {} rules", policy.rules.len());
        assert!(looked > 1_000_000);
    }

    /// A patch alone says little of what became of an object, so who judges it has to be given the answer. Bodies that
    /// are never written down are no answer either.
    #[test]
    fn who_judges_what_a_patch_makes_is_given_the_answer() {
        for detection in detections::all() {
            for need in detection.needs.iter().filter(|need| need.level >= Level::Request) {
                let judges_patches = need.verbs.is_empty() || need.verbs.contains(&"patch");
                let is_capped = match need.of {
                    Of::Resources(all) => all.iter().all(|of| CAPPED.contains(of)),
                    _ => false,
                };
                let is_answered = need.level == Level::RequestResponse;
                assert!(!judges_patches || is_capped || is_answered, "{}", detection.id);
            }
        }
    }

    /// What has to be told something else is not asked on machines, but events that are kept are enough for it.
    #[test]
    fn what_fed_detections_need_is_written_down_for_others() {
        let policy = compile(DETECTIONS);
        let all: Vec<&Detection> = detections::all().collect();
        let mut looked = 0_u64;
        classes::each(&all, &mut |request| {
            let written = policy.level(request);
            for Fed { detection, .. } in FED {
                looked += 1;
                let needed = needed(detection, request);
                let is_told = needed > most(request) || request.user == "made-up";
                assert!(needed <= written || is_told, "{} {request:?}", detection.id);
            }
        });
        assert!(looked > 10_000);
    }

    /// Of some request each rule decides, and decides otherwise than those behind it would.
    #[test]
    fn no_rule_can_be_left_out() {
        let policy = compile(DETECTIONS);
        for left_out in 0..policy.rules.len() {
            let mut without = policy.clone();
            let rule = without.rules.remove(left_out);
            // A wall stands where nobody climbs today.
            if rule.why == "bodies hold secrets" {
                continue;
            }
            let mut differs = false;
            classes::each(DETECTIONS, &mut |request| {
                differs |= policy.level(request) != without.level(request);
            });
            assert!(differs, "{}", rule.why);
        }
    }

    #[test]
    fn a_detection_more_wakes_what_was_quiet() {
        let of = |ids: &[&str]| -> Vec<&'static Detection> {
            ids.iter().map(|id| detections::find(id).unwrap()).collect()
        };
        let request = |verb, user| Request {
            user,
            groups: &["system:nodes"],
            verb,
            group: "",
            resource: "pods",
            namespace: "web",
            path: "",
        };
        let few = compile(&of(&["detect/exec"]));
        assert_eq!(few.level(&request("create", "eve")), Level::Metadata);
        let more = compile(&of(&["detect/exec", "detect/privileged-container"]));
        assert_eq!(more.level(&request("create", "eve")), Level::RequestResponse);
        assert_eq!(more.level(&request("create", "system:kube-scheduler")), Level::Metadata);
    }
}
