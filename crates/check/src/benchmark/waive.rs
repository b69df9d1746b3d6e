//! Waivers of rows: those of a `cluster.yaml`, and those that ringfort's profile makes itself. What is waived
//! is told as waived, with who answers for it, and never as passed; what is unknown cannot be waived.

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use ringfort_model::judgement::{Decided, Gap, Judgement, Verdict};

use super::judge::Judged;
use super::usage::{self, Counting};
use super::{Looked, NAME, Needs, Row, is_beyond, say};
use crate::waivers::Waiver;

/// Who answers for a row that fails.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waived {
    /// Who answers for it.
    pub owner: String,
    /// Why this is right.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// A waiver that comes with ringfort's profile, for clusters that ringfort made.
struct OfProfile {
    row: &'static str,
    reason: &'static str,
    /// What the row comes to without what the profile does on purpose: nobody else is covered.
    rest: fn(&Looked<'_>) -> Judgement,
}

/// Until when the profile's own waivers hold: then they are to be thought over again.
const REVIEW: Date = date(2027, 12, 31);

/// The waivers of the profile.
const OF_PROFILE: [OfProfile; 4] = [
    OfProfile {
        row: "3.1.1",
        reason: "the handed-over certificate is narrow and lives a day at most, ringfort's own an hour; \
                 neither can be taken back before",
        rest: |looked| usage::judge(usage::BY_CERTIFICATE, looked, Counting::AllButTheProfile),
    },
    OfProfile {
        row: "5.1.7",
        reason: "ringfort works as a member of system:masters, by a certificate that it makes for each run \
                 and never writes down",
        rest: |looked| usage::judge(usage::AS_MASTER, looked, Counting::AllButTheProfile),
    },
    OfProfile {
        row: "5.4.2",
        reason: "secrets are in etcd, sealed by a key whose only other copy is in the operator's keyring",
        rest: |_| say::spared("nothing else is asked"),
    },
    OfProfile {
        row: "5.5.1",
        reason: "what ringfort brings is pinned by digest and comes from the bundle; whose signatures count \
                 for other images is for those to say who run them",
        rest: |_| say::spared("nothing else is asked"),
    },
];

/// Names a row as waivers do: one beyond the benchmark by its control.
pub fn id(row: &Row) -> String {
    if is_beyond(row.id) {
        return row.id.to_owned();
    }
    format!("{NAME}/{}", row.id)
}

/// Applies waivers to what rows came to, and names those of the list that covered nothing.
pub fn waive(
    judged: &mut [Judged],
    looked: &Looked<'_>,
    waivers: &[Waiver],
    today: Date,
) -> Vec<usize> {
    let mut unused: BTreeSet<usize> = (0..waivers.len()).collect();
    for one in judged {
        if Verdict::from(&one.whole) != Verdict::Failed {
            continue;
        }
        let found = waivers.iter().position(|it| it.holds(today) && covers(it, one, looked));
        let by = match found {
            Some(number) => {
                unused.remove(&number);
                let Waiver { owner, reason, expires, .. } = waivers[number].clone();
                Some(Waived { owner, reason, expires })
            }
            None => of_profile(one.row, looked, today),
        };
        let Some(by) = by else { continue };
        match unknown_beside(one, looked) {
            Some(gap) => one.whole = Err(gap),
            None => one.waived = Some(by),
        }
    }
    unused.into_iter().collect()
}

fn of_profile(row: &Row, looked: &Looked<'_>, today: Date) -> Option<Waived> {
    // What is declared of a cluster makes it none of ringfort's.
    looked.intent.filter(|_| looked.is_of_ringfort())?;
    let own = OF_PROFILE.iter().find(|own| own.row == row.id && today <= REVIEW)?;
    let rest = (own.rest)(looked);
    matches!(rest, Ok(Decided::Pass(_) | Decided::NotApplicable { .. })).then(|| Waived {
        owner: "ringfort".to_owned(),
        reason: own.reason.to_owned(),
        expires: REVIEW,
    })
}

/// Whether a waiver is about a row: by its own name, by a guideline that decides it, or by the control that
/// keeps it; and whether all that fails is within its limit.
fn covers(waiver: &Waiver, judged: &Judged, looked: &Looked<'_>) -> bool {
    let row = judged.row;
    let control = waiver.control.as_str();
    let is_about = control == id(row)
        || row.guidelines().contains(&control)
        || row.kept.control() == Some(control);
    let Some(scope) = &waiver.scope else { return is_about };
    let within = |names: &[String], failing: &BTreeSet<String>| {
        !failing.is_empty() && failing.iter().all(|name| names.contains(name))
    };
    is_about
        && match (scope.nodes.as_slice(), scope.namespaces.as_slice()) {
            ([], []) => false,
            (nodes @ [_, ..], _) => within(nodes, &failing_machines(judged)),
            (_, namespaces) => within(namespaces, &failing_namespaces(row, looked)),
        }
}

fn failing_machines(judged: &Judged) -> BTreeSet<String> {
    let failed =
        judged.machines.iter().filter(|it| Verdict::from(&it.judgement) == Verdict::Failed);
    failed.map(|it| it.machine.clone()).collect()
}

/// Names the namespaces in which objects do not keep the guidelines of a row.
fn failing_namespaces(row: &Row, looked: &Looked<'_>) -> BTreeSet<String> {
    let Some(tally) = looked.objects else { return BTreeSet::new() };
    let failing =
        row.guidelines().iter().flat_map(|id| super::judge::failing(row, id, tally, looked));
    failing.collect()
}

/// What is unknown of a row beside its failure, which alone is waived.
fn unknown_beside(judged: &Judged, looked: &Looked<'_>) -> Option<Gap> {
    let of_machines = judged.machines.iter().find_map(|it| it.judgement.clone().err());
    let of_others = || match judged.row.needs() {
        Needs::Machines => looked.every_known_machine().err(),
        Needs::AuditLog => looked.every_server().err(),
        Needs::Objects | Needs::Intent => None,
    };
    let of_objects =
        || looked.objects.and_then(|tally| super::judge::unknown(judged.row, tally, looked));
    of_machines.or_else(of_others).or_else(of_objects)
}
