//! Section 3: who signs in how, and what is written down of it.

use ringfort_facts::component::Component;
use ringfort_facts::component::settings::Settings;
use ringfort_model::judgement::Judgement;

use super::{Ask, Kept, Row, manual, second};
use crate::benchmark::audit_policy::Policy;
use crate::benchmark::say::{decide, fail};
use crate::benchmark::usage;

const AUDIT: Kept = Kept::By("audit/policy-is-set");

/// Rows about who signs in how.
#[rustfmt::skip]
pub(super) static IDENTITIES: &[Row] = &[
    manual("3.1.1", "People sign in by something that can be taken back, not by client certificates", Kept::Partly("access/admin-is-narrow", "the handed-over certificate is narrow and short-lived, and can still not be taken back"), Ask::Callers(usage::BY_CERTIFICATE, &[])),
    manual("3.1.2", "People do not use tokens of service accounts", Kept::Not("who uses a token shows in the audit log alone"), Ask::Callers(usage::BY_ACCOUNT, &[])),
    manual("3.1.3", "People do not use bootstrap tokens", Kept::By("access/anonymous-is-shut"), Ask::Callers(usage::BY_BOOTSTRAP, &[])),
];

/// Rows about what is written down.
#[rustfmt::skip]
pub(super) static LOGGING: &[Row] = &[
    manual("3.2.1", "A policy says what is written to the audit log", AUDIT, Ask::Settings(Component::ApiServer, exists)),
    second(manual("3.2.2", "What matters is written to the audit log, and no secret is", AUDIT, Ask::Settings(Component::ApiServer, covers))),
];

/// Reads the policy that an API server has; `None` where it has none.
pub(in crate::benchmark) fn policy(
    server: &Settings,
) -> Result<Option<(String, Policy)>, ringfort_model::judgement::Gap> {
    let path = server.text("audit-policy-file").known()?.value.clone();
    if path.is_empty() {
        return Ok(None);
    }
    let document = server.files.document(&path, "audit.k8s.io", "Policy")?;
    let policy = Policy::read(&path, &document)?;
    Ok(Some((path, policy)))
}

fn exists(server: &Settings) -> Judgement {
    let seen = server.text("audit-policy-file").known()?.clone();
    match policy(server)? {
        None => decide(&seen, false, "--audit-policy-file is not set", "set --audit-policy-file"),
        Some((path, policy)) => {
            let said = format!("{path} has {} rules", policy.len());
            decide(&seen, policy.len() > 0, &said, "write rules into the policy")
        }
    }
}

fn covers(server: &Settings) -> Judgement {
    let seen = server.text("audit-policy-file").known()?.clone();
    let Some((path, policy)) = policy(server)? else {
        return Ok(fail("--audit-policy-file is not set", "set --audit-policy-file"));
    };
    let faults = policy.faults();
    let said = match faults.is_empty() {
        true => format!("{path} writes down everything that matters, and no secret"),
        false => format!("{path}: {}", faults.join("; ")),
    };
    decide(
        &seen,
        faults.is_empty(),
        &said,
        "the first rule that fits decides: put rules for these first",
    )
}
