//! Sections 1.3 and 1.4: how controller managers and schedulers are started.

use std::net::IpAddr;

use ringfort_facts::component::Component;
use ringfort_facts::component::settings::Settings;
use ringfort_model::judgement::Judgement;

use super::api_server::{off, on, set};
use super::{Ask, Kept, Row, automated, manual};
use crate::benchmark::say::{decide, spared, unknown};

const PROFILING: Kept = Kept::By("access/no-profiling");
const LOOPBACK: Kept = Kept::By("network/loopback-only");
const NO_SIGNERS: &str = "access/no-signers";

/// The rows of the controller manager.
#[rustfmt::skip]
pub(super) static MANAGER: &[Row] = &[
    manual("1.3.1", "Pods that have ended are cleared away", Kept::Not("the default of 12,500 stays"), manager(|s| {
        let seen = s.number("terminated-pod-gc-threshold").known()?.clone();
        let holds = (1..=12_500).contains(&seen.value);
        let said = format!("--terminated-pod-gc-threshold is {}", seen.value);
        decide(&seen, holds, &said, "--terminated-pod-gc-threshold=12500 at most, and above 0")
    })),
    automated("1.3.2", "Controller managers are not profiled", PROFILING, manager(|s| off(s, "profiling"))),
    automated("1.3.3", "Each controller has rights of its own", Kept::By("access/no-signers"), manager(|s| on(s, "use-service-account-credentials"))),
    automated("1.3.4", "Tokens are signed with a key of their own", Kept::Otherwise(NO_SIGNERS, "controllers sign nothing: API servers issue tokens that are bound to pods"), manager(signs)),
    automated("1.3.5", "Pods are told whom to trust", Kept::By("ha/three-control-planes"), manager(|s| set(s, &["root-ca-file"]))),
    automated("1.3.6", "Kubelets' serving certificates may be renewed", Kept::Partly(NO_SIGNERS, "the gate is on, and `ringfort up` renews them: nothing on a machine can sign any"), manager(rotation)),
    automated("1.3.7", "Controller managers listen to their own machine only", LOOPBACK, manager(loopback)),
];

/// The rows of the scheduler.
#[rustfmt::skip]
pub(super) static SCHEDULER: &[Row] = &[
    automated("1.4.1", "Schedulers are not profiled", PROFILING, scheduler(|s| off(s, "profiling"))),
    automated("1.4.2", "Schedulers listen to their own machine only", LOOPBACK, scheduler(loopback)),
];

const fn manager(judge: fn(&Settings) -> Judgement) -> Ask {
    Ask::Settings(Component::ControllerManager, judge)
}

const fn scheduler(judge: fn(&Settings) -> Judgement) -> Ask {
    Ask::Settings(Component::Scheduler, judge)
}

/// The gate's default is on, so that only who switches it off has it off.
fn rotation(settings: &Settings) -> Judgement {
    let seen = settings.gates().known()?.clone();
    let is_off = seen.value.get("RotateKubeletServerCertificate") == Some(&false);
    let said = match is_off {
        true => "the gate RotateKubeletServerCertificate is switched off",
        false => "the gate RotateKubeletServerCertificate is on",
    };
    decide(
        &seen,
        !is_off,
        said,
        "leave RotateKubeletServerCertificate=false out of --feature-gates",
    )
}

/// Without a key the controller of tokens does not start: tokens come from API servers alone, which say by
/// which key (`--service-account-signing-key-file`, without which they do not start).
fn signs(settings: &Settings) -> Judgement {
    let flag = "service-account-private-key-file";
    match settings.text(flag).known()?.value.is_empty() {
        true => spared(format!("--{flag} is not set, so that controllers sign no tokens")),
        false => set(settings, &[flag]),
    }
}

fn loopback(settings: &Settings) -> Judgement {
    let seen = settings.text("bind-address").known()?.clone();
    let Ok(address) = seen.value.parse::<IpAddr>() else {
        return unknown(
            format!(
                "--bind-address of {} is {:?}, which is no address",
                settings.component, seen.value
            ),
            "an address",
        );
    };
    let said = format!("--bind-address of {} is {address}", settings.component);
    decide(&seen, address.is_loopback(), &said, "--bind-address=127.0.0.1")
}
