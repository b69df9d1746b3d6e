//! Every API server writes down who asked for what, without the bodies of secrets.

mod proof;
mod sabotage;

use std::borrow::Cow;
use std::sync::LazyLock;

use ringfort_audit::detection::Detection;
use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::event::Level;
use ringfort_audit::policy::{Policy, compile};
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Component, Draft, Mount};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "audit/policy-is-set",
    title: "Every API server writes down who asked for what, without the bodies of secrets",
    severity: Severity::High,
    refs: &[
        Ref::Cis("1.2.17"),
        Ref::Cis("1.2.18"),
        Ref::Cis("1.2.19"),
        Ref::Cis("3.2.1"),
        Ref::Cis("3.2.2"),
        Ref::Docs("tasks/debug/debug-cluster/audit/"),
    ],
    limits: &[],
    doc: include_str!("policy_is_set.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let policy = format!("{}/policy.yaml", paths::AUDIT);
    let written = policy_of(&draft.site().own).value();
    draft.control_planes(|at| {
        at.directory(paths::AUDIT, CLOSED, Owner::ROOT);
        at.directory(paths::LOGS, CLOSED, Owner::ROOT);
        at.yaml(&policy, &written);
        let api = Component::ApiServer;
        at.mount(api, paths::AUDIT, Mount::Reads);
        at.mount(api, paths::LOGS, Mount::Writes);
        at.flag(api, "--audit-policy-file", &policy);
        at.flag(api, "--audit-log-path", paths::AUDIT_LOG);
        at.flag(api, "--audit-log-maxage", spec.audit.max_age_days);
        at.flag(api, "--audit-log-maxbackup", spec.audit.max_backups);
        at.flag(api, "--audit-log-maxsize", spec.audit.max_size_megabytes);
    });
}

/// Gives the policy of a site with these detections of its own.
fn policy_of(own: &[&'static Detection]) -> Cow<'static, Policy> {
    match own {
        [] => Cow::Borrowed(&POLICY),
        own => Cow::Owned(compile(&[DETECTIONS, own].concat())),
    }
}

/// Says what the servers of a site with these detections of its own do not write down, by decision.
pub fn blind_spots(own: &[&'static Detection]) -> Vec<String> {
    let policy = policy_of(own);
    let quiet = policy.rules.iter().filter(|rule| rule.level == Level::None);
    quiet.map(|rule| rule.why.to_owned()).collect()
}

/// What is written down where a site has no detections of its own: what the detections need, and who did what of
/// everything else but a few things.
static POLICY: LazyLock<Policy> = LazyLock::new(|| compile(DETECTIONS));

#[cfg(test)]
mod tests {
    use ringfort_audit::policy::Request;

    use super::{Level, POLICY};

    #[test]
    fn every_blind_spot_is_narrow_and_every_rule_has_a_reason() {
        for rule in &POLICY.rules {
            assert!(!rule.why.is_empty());
            let asks_for = !rule.resources.is_empty() || !rule.paths.is_empty();
            assert!(rule.level != Level::None || asks_for, "{}", rule.why);
        }
    }

    #[test]
    fn bodies_of_secrets_are_never_written() {
        for (group, resource) in [
            ("", "secrets"),
            ("", "configmaps"),
            ("", "serviceaccounts/token"),
            ("authentication.k8s.io", "tokenreviews"),
        ] {
            for verb in ["get", "list", "create", "update", "patch", "delete"] {
                let request = Request {
                    user: "eve",
                    groups: &[],
                    verb,
                    group,
                    resource,
                    namespace: "web",
                    path: "",
                };
                assert_eq!(POLICY.level(&request), Level::Metadata, "{verb} {resource}");
            }
        }
    }
}
