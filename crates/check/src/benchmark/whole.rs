//! Rows that the whole cluster decides: machines, objects and what is declared, together.

use ringfort_facts::component::Component;
use ringfort_facts::component::api_server::runs_plugin;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::fact::{Seen, Source};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Decided, Judgement};

use super::{Looked, say};

/// How many things are named before the rest is counted.
const NAMED: usize = 3;

/// Asks that private images need their credentials on every start: by the plugin that has them pulled each
/// time, or by kubelets that ask for the credentials of an image that is already there.
pub(super) fn images_need_credentials(looked: &Looked<'_>) -> Judgement {
    let servers = by_machine(looked, |machine| {
        say::each(machine, Component::ApiServer, || machine.running(Component::ApiServer), pulls)
    });
    if !matches!(servers, Ok(Decided::Fail(_))) {
        return say::unless(servers, looked.every_known_machine());
    }
    if looked.every_machine().is_err() {
        return servers;
    }
    let kubelets = by_machine(looked, |machine| {
        say::each(machine, Component::Kubelet, || machine.kubelets(), verifies)
    });
    match kubelets {
        Ok(Decided::Pass(_)) | Err(_) => kubelets,
        Ok(_) => servers,
    }
}

fn by_machine(looked: &Looked<'_>, judge: impl Fn(&Machine<'_>) -> Judgement) -> Judgement {
    match looked.machines.is_empty() {
        true => {
            say::unknown("no machine was looked at", "facts of every machine, by `ringfort gather`")
        }
        false => say::all(looked.machines.iter().map(judge)),
    }
}

fn pulls(server: &Settings) -> Judgement {
    let seen = runs_plugin(server, "AlwaysPullImages").known()?.clone();
    let said = match seen.value {
        true => "the admission plugin AlwaysPullImages runs",
        false => "the admission plugin AlwaysPullImages does not run",
    };
    say::decide(&seen, seen.value, said, "--enable-admission-plugins=AlwaysPullImages")
}

/// A kubelet that is told so knows how; what is not said depends on its release.
fn verifies(kubelet: &Kubelet) -> Judgement {
    let path = "imagePullCredentialsVerificationPolicy";
    let seen = kubelet.text(path).known()?.clone();
    let is_said = !matches!(seen.source, Source::Default(_));
    let asks = ["AlwaysVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages"];
    let said = format!("{path} of the kubelet is {}", seen.value);
    say::decide(
        &seen,
        is_said && asks.contains(&seen.value.as_str()),
        &said,
        &format!("{path}: AlwaysVerify"),
    )
}

/// The kinds of what may refuse pods.
const JUDGES: [&str; 2] = ["ValidatingAdmissionPolicy", "ValidatingWebhookConfiguration"];

/// Asks that something judges where images come from.
pub(super) fn images_are_judged(looked: &Looked<'_>) -> Judgement {
    let plugin = by_machine(looked, |machine| {
        let judge = |server: &Settings| {
            let name = "ImagePolicyWebhook";
            let seen = runs_plugin(server, name).known()?.clone();
            let said = format!(
                "the admission plugin {name} {}",
                if seen.value { "runs" } else { "does not run" }
            );
            say::decide(
                &seen,
                seen.value,
                &said,
                "an admission webhook or policy that checks signatures of images",
            )
        };
        say::each(machine, Component::ApiServer, || machine.running(Component::ApiServer), judge)
    });
    if !matches!(plugin, Ok(Decided::Fail(_))) {
        return say::unless(plugin, looked.every_known_machine());
    }
    let Some(tally) = looked.objects else { return say::no_objects() };
    match &tally.census.judges_images {
        Some(name) => say::unknown(
            format!("whether {name} checks where images come from is not evaluated"),
            "a pod of an image without a signature, tried by hand",
        ),
        // What was not listed may check them.
        None => tally.sees(&JUDGES).and(plugin),
    }
}

/// Asks that nothing was put into the namespace `default`.
pub(super) fn default_is_empty(looked: &Looked<'_>) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    let said = "nothing but Kubernetes' own is in the namespace default";
    placed(
        looked,
        &tally.census.in_default,
        said,
        "in the namespace default",
        "give it a namespace of its own",
    )
}

/// Asks that namespaces part what does not belong together: nothing runs among others but what is declared.
pub(super) fn namespaces_part(looked: &Looked<'_>) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    let Some(intent) = looked.intent else {
        return say::unknown(
            "what belongs together is declared nowhere",
            "the cluster.yaml of the cluster, by --cluster or --spec",
        );
    };
    let strangers: Vec<String> = tally
        .census
        .among_others
        .iter()
        .filter(|name| !intent.addons.contains_key(*name))
        .cloned()
        .collect();
    let said = "in namespaces of the system runs only what Kubernetes, ringfort and declared add-ons bring";
    placed(
        looked,
        &strangers,
        said,
        "in namespaces of the system",
        "give it a namespace of its own",
    )
}

fn placed(looked: &Looked<'_>, found: &[String], none: &str, place: &str, fix: &str) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    if !found.is_empty() {
        let named = found.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        return Ok(say::fail(format!("{} {place}: {named}", found.len()), fix));
    }
    match tally.census.namespaces.len() {
        0 => say::unknown("no namespace was listed", "the right to list namespaces"),
        count => {
            let source = Source::Default("objects of the API".to_owned());
            say::pass(&Seen { value: count, source }, format!("{none}, of {count} namespaces"))
        }
    }
}

/// Where secrets are kept is declared: ringfort's profile keeps them in etcd. Of other clusters `cluster.yaml` says
/// nothing of it.
pub(super) fn secrets_are_outside(looked: &Looked<'_>) -> Judgement {
    match looked.intent.filter(|_| looked.is_of_ringfort()) {
        None => say::unknown(
            "where secrets are meant to be kept is declared nowhere",
            "the cluster.yaml of a cluster that ringfort made, by --cluster or --spec, with facts of its machines",
        ),
        Some(_) => Ok(say::fail(
            "ringfort's profile keeps secrets in etcd, encrypted, and in no store outside the cluster",
            "a store of secrets outside the cluster, as an add-on",
        )),
    }
}
