//! How a judge says what it saw: from something that was seen, and never from nothing.

use ringfort_facts::component::Component;
use ringfort_facts::fact::Seen;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};

/// Passes or fails by something that was seen.
pub(super) fn decide<T>(seen: &Seen<T>, holds: bool, said: &str, fix: &str) -> Judgement {
    let said = format!("{said} (by {})", seen.source);
    match holds {
        true => pass(seen, said),
        false => Ok(fail(said, fix)),
    }
}

/// Passes on something that was seen.
pub(super) fn pass<T>(_: &Seen<T>, said: String) -> Judgement {
    let evidence = Evidence::from_seen(said, vec![0]).expect("a place is named");
    Ok(Decided::Pass(evidence))
}

pub(super) fn fail(said: impl Into<String>, fix: &str) -> Decided {
    Decided::Fail(Finding { said: said.into(), fix: fix.to_owned() })
}

pub(super) fn spared(reason: impl Into<String>) -> Judgement {
    Ok(Decided::NotApplicable { reason: reason.into() })
}

pub(super) fn unknown<T>(said: impl Into<String>, closes: impl Into<String>) -> Result<T, Gap> {
    Err(Gap { said: said.into(), closes: closes.into() })
}

/// Says that nobody listed objects.
pub(super) fn no_objects<T>() -> Result<T, Gap> {
    unknown("objects of the API were not read", "--kubeconfig of an administrator")
}

/// Judges each of what runs a component.
pub(super) fn each<T>(
    machine: &Machine<'_>,
    component: Component,
    running: impl FnOnce() -> Result<Vec<T>, Gap>,
    judge: impl Fn(&T) -> Judgement,
) -> Judgement {
    let running = running()?;
    if running.is_empty() {
        return not_here(machine, component);
    }
    all(running.iter().map(judge))
}

/// Says that a component does not run on a machine, if that is a machine of a cluster at all.
pub(super) fn not_here(machine: &Machine<'_>, component: Component) -> Judgement {
    if component == Component::Kubelet || machine.running(Component::Kubelet)?.is_empty() {
        return unknown(
            format!("neither {component} nor a kubelet was seen to run here"),
            "facts of a machine while its kubelet runs",
        );
    }
    spared(format!("{component} does not run on this machine"))
}

/// Leaves what fails as it is, and takes nothing else for known where something was not looked at.
pub(super) fn unless(judgement: Judgement, looked: Result<(), Gap>) -> Judgement {
    match (judgement, looked) {
        (Ok(Decided::Pass(_) | Decided::NotApplicable { .. }), Err(gap)) => Err(gap),
        (judgement, _) => judgement,
    }
}

/// How many things of one kind are told before the rest is counted.
const TOLD: usize = 4;

/// Comes to one judgement of several: one failure is enough, then a gap; what is spared counts for nothing.
pub(super) fn all(judgements: impl Iterator<Item = Judgement>) -> Judgement {
    let mut passes = Vec::new();
    let mut failures: Vec<Finding> = Vec::new();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut reasons = Vec::new();
    for judgement in judgements {
        match judgement {
            Ok(Decided::Pass(evidence)) => passes.push(evidence),
            Ok(Decided::Fail(finding)) => failures.push(finding),
            Ok(Decided::NotApplicable { reason }) => reasons.push(reason),
            Err(gap) => gaps.push(gap),
        }
    }
    if !failures.is_empty() {
        let said = told(failures.iter().map(|it| it.said.as_str()));
        return Ok(Decided::Fail(Finding { said, fix: failures.swap_remove(0).fix }));
    }
    if !gaps.is_empty() {
        let said = told(gaps.iter().map(|it| it.said.as_str()));
        return Err(Gap { said, closes: gaps.swap_remove(0).closes });
    }
    if !passes.is_empty() {
        let written: Vec<String> = passes.iter().map(ToString::to_string).collect();
        let places = passes.iter().flat_map(|it| it.places().to_vec()).collect();
        let said = told(written.iter().map(String::as_str));
        let evidence = Evidence::from_seen(said, places).expect("each pass has its place");
        return Ok(Decided::Pass(evidence));
    }
    match reasons.is_empty() {
        false => spared(told(reasons.iter().map(String::as_str))),
        true => unknown("nothing was looked at", "facts of a machine"),
    }
}

fn told<'a>(said: impl Iterator<Item = &'a str>) -> String {
    let mut once: Vec<&str> = Vec::new();
    for one in said {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    let more = once.len().saturating_sub(TOLD);
    once.truncate(TOLD);
    match more {
        0 => once.join("; "),
        more => format!("{}; and {more} more", once.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use ringfort_facts::fact::{Seen, Source};
    use ringfort_model::judgement::{Decided, Gap, Verdict};

    use super::{all, fail, pass, spared, unknown};

    #[test]
    fn one_failure_is_enough_and_a_gap_is_no_pass() {
        let seen = Seen { value: (), source: Source::CommandLine };
        let good = || pass(&seen, "good".to_owned());
        let bad = || Ok(fail("bad", "mend it"));
        let gap = || unknown::<Decided>("unseen", "look");
        let none = || spared("none");
        let check = |of: Vec<_>, expected: Verdict| {
            assert_eq!(Verdict::from(&all(of.into_iter())), expected);
        };
        check(vec![good(), gap(), bad()], Verdict::Failed);
        check(vec![good(), gap(), none()], Verdict::Unknown);
        check(vec![good(), none()], Verdict::Proved);
        check(vec![none(), none()], Verdict::NotApplicable);
        check(vec![], Verdict::Unknown);
        let told = all((0..9).map(|number| unknown(format!("gap {number}"), "look")));
        assert_eq!(
            told,
            Err(Gap {
                said: "gap 0; gap 1; gap 2; gap 3; and 5 more".to_owned(),
                closes: "look".to_owned()
            })
        );
    }
}
