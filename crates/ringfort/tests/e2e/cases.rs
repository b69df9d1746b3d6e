//! What must hold, in the order of how much each case destroys.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::cluster::{Cluster, Said};
use crate::{
    Case, Share, addons, audit, change, check, faults, guards, integrity, ipv6, keys, network,
    proofs, published, rotation, told, traffic, trouble, way_out,
};

/// Every case, the gentlest first. The longer ones are left to `cargo xtask test --whole`, since the rest is
/// waited for after every change.
pub const ALL: &[Case] = &[
    usual("plan_before_the_first_up_changes_nothing", plan_first),
    usual("an_unreachable_machine_is_named", faults::unreachable),
    usual("a_wrong_host_key_is_refused", faults::wrong_host_key),
    usual("a_wrong_user_and_one_without_sudo_are_told", faults::wrong_user),
    usual("unfit_machines_are_all_named_at_once", faults::unfit),
    usual("an_altered_bundle_is_refused", faults::altered_bundle),
    usual("an_expired_authority_is_refused", faults::expired_authority),
    usual("up_hands_over_a_proved_cluster", up),
    usual("up_again_changes_nothing", up_again),
    usual("a_change_of_the_specification_takes_its_own_steps", change::its_own),
    usual("proofs_are_made_again_and_evidence_is_judged_again", proofs::again),
    usual("what_stops_something_is_never_proved_unasked", proofs::unasked),
    longer("what_is_asked_for_is_rehearsed", proofs::rehearsed),
    longer("a_proof_that_is_cut_leaves_nothing", proofs::cut),
    usual("a_strange_cluster_is_proved_through_its_api", proofs::strange),
    usual("the_handed_over_identity_administers_workloads_only", identity),
    usual("each_guard_refuses_what_it_is_there_for", guards::refuse_each),
    usual("published_bad_pods_are_refused_as_others_judged_them", published::judged),
    usual("guards_are_in_nobodys_way_who_works", guards::let_work_pass),
    longer("an_addon_is_kept_and_opens_its_namespaces_only", addons::kept),
    usual("policies_hold_also_for_connections_that_stand", network::policies),
    usual("packets_go_as_the_slow_model_says", traffic::matrix),
    longer("pods_on_machines_networks_go_as_the_slow_model_says", traffic::matrix_on_machines),
    usual("without_the_enforcer_nothing_opens", network::enforcer),
    usual("pods_leave_the_cluster_where_the_specification_says_so", way_out::masquerade),
    longer("policies_hold_while_no_api_server_answers", network::away),
    longer("cluster_wide_policies_go_before_namespaces_own", network::wider),
    longer("policies_are_turned_on_without_a_gap", network::turned_on),
    usual("no_machine_holds_an_authority_key_or_a_token", keys::none_of_authorities),
    usual("a_lost_keyring_is_refused", lost_keyring),
    usual("a_different_keyring_is_refused", trouble::different_keyring),
    usual("no_secret_is_in_the_loudest_log", trouble::quiet_log),
    usual("of_two_operators_one_is_refused", trouble::two_operators),
    // Waits until audit logs tell of ten minutes, so what is as gentle comes before it.
    usual("every_recommendation_of_the_benchmark_is_decided", check::decided),
    usual("objects_of_a_cluster_are_judged_by_every_guideline", check::objects_judged),
    usual("a_hand_edited_file_and_a_stopped_unit_are_put_back", drift),
    usual("what_is_broken_fails_its_proofs_and_no_other", proofs::broken),
    longer("proofs_of_sick_machines_end", proofs::sick),
    longer("a_slow_server_is_waited_for", proofs::slow),
    longer("a_worker_that_dies_meanwhile_is_unknown", proofs::dying),
    usual("what_is_sabotaged_is_not_handed_over", proofs::sabotaged),
    usual("what_is_logged_is_kept_whatever_becomes_of_the_collector", audit::kept),
    usual("a_log_that_is_written_anew_is_named_by_its_witness", audit::rewritten),
    usual("what_a_server_counts_and_nobody_has_is_told_elsewhere", audit::counted),
    usual("what_is_spread_over_api_servers_is_told_once", audit::together),
    usual("what_is_found_reaches_those_who_are_to_be_told", told::reached),
    longer("what_an_api_server_sends_is_kept_whoever_is_killed", audit::sent),
    usual("who_changes_files_of_machines_is_told", integrity::watched),
    usual("deleted_objects_are_put_back", deleted_objects),
    longer("a_value_in_plain_is_sealed_where_it_lies", rotation::sealed_in_place),
    longer("a_new_encryption_key_takes_the_place_of_the_old_one", rotation::rotated),
    usual("a_run_interrupted_at_any_time_goes_on", trouble::interrupted),
    longer("a_program_killed_on_a_machine_loses_nothing", trouble::killed_on_a_machine),
    longer("an_operator_killed_on_the_way_loses_nothing", trouble::killed_operator),
    usual("a_machine_without_power_comes_back", power_off),
    longer("a_wiped_control_plane_is_replaced", wiped),
    usual("machines_are_exchanged_and_their_pods_move", exchanged),
    longer("a_dead_control_plane_is_given_up_for_another", given_up),
    usual("reset_leaves_machines_as_they_were", reset),
    longer("a_network_of_ones_own_is_proved_like_ours", addons::own_network),
    // On a lab of its own, for which the machines of the other are switched off.
    longer("a_cluster_of_ipv6_machines_is_proved", ipv6::proved),
];

/// A case of every run.
const fn usual(name: &'static str, run: fn(&Cluster)) -> Case {
    Case { name, run, share: Share::Usual }
}

/// A case of a run that is asked for by `--whole`, or of one that names it.
const fn longer(name: &'static str, run: fn(&Cluster)) -> Case {
    Case { name, run, share: Share::Whole }
}

fn plan_first(cluster: &Cluster) {
    let plan = cluster.ringfort("plan", &[]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(plan.steps().len() > 100, "a fresh cluster needs many steps: {}", plan.steps().len());
    // The plan that nobody was asked for is the same, but that it takes kernels to have WireGuard, and
    // none of their settings to be right already.
    let offline = cluster.ringfort("plan", &["--offline"]);
    assert_eq!(offline.code, Some(0), "{}", offline.stderr);
    let known = |step: &&String| !["wireguard", "sysctl:"].iter().any(|word| step.contains(word));
    let steps = |said: &Said| said.steps().iter().filter(known).cloned().collect::<BTreeSet<_>>();
    let (asked, imagined) = (steps(&plan), steps(&offline));
    let differ: Vec<_> = asked.symmetric_difference(&imagined).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    let left =
        cluster.on("cp1", "find /etc/kubernetes /var/lib/kubelet -mindepth 1 2>/dev/null | wc -l");
    assert_eq!(left.trim(), "0", "plan wrote something");
}

pub fn up(cluster: &Cluster) {
    let up = cluster.ringfort("up", &[]);
    well(&up);
    let end = up.end();
    assert!(
        end["proved"].as_u64() > Some(30) && end["failed"] == 0 && end["unknown"] == 0,
        "{end}"
    );
    assert!(end["changes"].as_u64() > Some(100), "{end}");
    let mode = std::fs::metadata(cluster.kubeconfig()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others can read the kubeconfig");
    println!("     up: {end}");
}

pub fn up_again(cluster: &Cluster) {
    nothing_planned(cluster);
    let up = cluster.ringfort("up", &[]);
    well(&up);
    assert_eq!(up.end()["changes"], 0, "{:?}", up.steps());
    println!("     up again: {}", up.end());
}

fn identity(cluster: &Cluster) {
    let nodes = cluster.kubectl(&["get", "nodes", "--no-headers"]);
    assert_eq!(nodes.stdout.matches(" Ready ").count(), 6, "{}{}", nodes.stdout, nodes.stderr);
    let can = |question: &[&str]| {
        let mut arguments = vec!["auth", "can-i"];
        arguments.extend(question);
        cluster.kubectl(&arguments).stdout.trim().to_owned()
    };
    assert_eq!(can(&["create", "deployments", "-n", "default"]), "yes");
    for forbidden in [
        &["impersonate", "users"][..],
        &["escalate", "clusterroles"],
        &["bind", "clusterroles"],
        &["create", "validatingadmissionpolicies"],
        &["*", "*"],
    ] {
        assert_eq!(can(forbidden), "no", "{forbidden:?}");
    }
    let label = cluster.kubectl(&[
        "label",
        "namespace",
        "default",
        "pod-security.kubernetes.io/enforce=privileged",
    ]);
    assert!(label.stderr.contains("may only be restricted"), "{}", label.stderr);
}

fn drift(cluster: &Cluster) {
    cluster.on("cp2", "sed -i s/Metadata/None/ /etc/kubernetes/audit/policy.yaml");
    cluster.on("w2", "systemctl stop kube-proxy");
    add_to_an_object(cluster);
    let plan = cluster.ringfort("plan", &[]);
    let planned = plan.steps();
    assert!(planned.iter().any(|s| s == "api Deployment kube-system/coredns"), "{planned:?}");
    assert!(
        planned.iter().any(|s| s.contains("cp2 file:/etc/kubernetes/audit/policy.yaml")),
        "{planned:?}"
    );
    assert!(planned.iter().any(|s| s.contains("w2 unit:kube-proxy")), "{planned:?}");
    let up = cluster.ringfort("up", &[]);
    well(&up);
    nothing_planned(cluster);
    assert_eq!(cluster.on("w2", "systemctl is-active kube-proxy").trim(), "active");
    let servers =
        cluster.kubectl(&["-n", "kube-system", "get", "deployment", "coredns", "-o", "yaml"]);
    assert!(servers.stdout.contains("image:"), "{}", servers.stderr);
    assert!(!servers.stdout.contains("ADDED"), "what was added to it is still there");
}

/// Somebody who broke the glass adds to one of ringfort's objects what ringfort says nothing of, in the name that
/// guards make way for.
fn add_to_an_object(cluster: &Cluster) {
    let made = cluster.renew(&["--break-glass", "--reason", "a change by hand"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let broken = cluster.kubeconfig().with_file_name("break-glass.conf");
    let mut arguments = vec!["--kubeconfig", broken.to_str().unwrap()];
    arguments.extend(["--as=ringfort:keeper", "--as-group=system:masters"]);
    arguments.extend(["-n", "kube-system", "set", "env", "deployment/coredns", "ADDED=1"]);
    let added = cluster.kubectl(&arguments);
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    std::fs::remove_file(broken).unwrap();
}

fn deleted_objects(cluster: &Cluster) {
    // Nobody may delete them through the API: they go where only root on a control plane gets.
    for key in ["configmaps/kube-system/coredns", "minions/w2"] {
        assert_eq!(cluster.etcd(&format!("del /registry/{key}")).trim(), "1", "{key}");
    }
    // A kubelet makes its node when it starts, and runs on without it.
    let mut wanted =
        ["api ConfigMap kube-system/coredns", "api Node w2", "w2 unit:kubelet.service"];
    wanted.sort();
    // kube-proxy ends when its node goes, and is between two starts when it is looked at, or is not.
    let sorted = |said: &Said| {
        let mut steps = said.steps();
        steps.retain(|step| step != "w2 unit:kube-proxy.service");
        steps.sort();
        steps
    };
    assert_eq!(sorted(&cluster.ringfort("plan", &[])), wanted);
    let up = cluster.ringfort("up", &[]);
    well(&up);
    assert_eq!(sorted(&up), wanted);
}

fn lost_keyring(cluster: &Cluster) {
    let keyring = cluster.directory.join(".ringfort").join(cluster.name()).join("keyring.age");
    let aside = keyring.with_extension("aside");
    std::fs::rename(&keyring, &aside).unwrap();
    let up = cluster.ringfort("up", &[]);
    let made_new = keyring.exists();
    std::fs::rename(&aside, &keyring).unwrap();
    assert!(!made_new, "a new keyring was made while sealed data exists");
    assert_eq!(up.code, Some(2), "{}", up.stderr);
    let said = format!("the cluster {} exists, but its keyring", cluster.name());
    assert!(up.stderr.contains(&said), "{}", up.stderr);
    nothing_planned(cluster);
}

fn power_off(cluster: &Cluster) {
    cluster.lab(&["stop", cluster.name(), "cp3", "--hard"]);
    let made = cluster.kubectl(&["create", "configmap", "while-cp3-is-off", "--from-literal=a=b"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    // Meanwhile the others are looked after, and the run says who was not.
    cluster.on("w1", "systemctl stop kubelet");
    let others = cluster.ringfort("up", &[]);
    assert_eq!(others.code, Some(4), "{}", others.stderr);
    assert!(others.stderr.contains("does not answer within"), "{}", others.stderr);
    assert_eq!(others.steps(), ["w1 unit:kubelet.service"]);
    let plan = cluster.ringfort("plan", &[]);
    assert_eq!((plan.code, plan.steps()), (Some(3), Vec::new()), "{}", plan.stderr);
    cluster.lab(&["start", cluster.name(), "cp3"]);
    let up = cluster.ringfort("up", &[]);
    well(&up);
    let there = cluster.kubectl(&["get", "configmap", "while-cp3-is-off"]);
    assert_eq!(there.code, Some(0), "{}", there.stderr);
}

fn wiped(cluster: &Cluster) {
    cluster.lab(&["wipe", cluster.name(), "cp3"]);
    cluster.lab(&["start", cluster.name(), "cp3"]);
    let up = cluster.ringfort("up", &[]);
    well(&up);
    println!("     up with a wiped control plane: {}", up.end());
    nothing_planned(cluster);
    let there = cluster.kubectl(&["get", "configmap", "while-cp3-is-off"]);
    assert_eq!(there.code, Some(0), "{}", there.stderr);
}

fn reset(cluster: &Cluster) {
    let wrong = cluster.ringfort("reset", &["--yes", "another"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    nothing_planned(cluster);
    std::fs::copy(cluster.kubeconfig(), cluster.old_kubeconfig()).unwrap();
    well(&cluster.ringfort("reset", &["--yes", cluster.name()]));
    nothing_left(cluster);
    proofs::not_renewed(cluster, 2, "was not handed over");
}

/// Sees that nothing is left of a cluster.
pub fn nothing_left(cluster: &Cluster) {
    assert_eq!(cluster.differences(), Vec::<String>::new());
    assert!(!cluster.kubeconfig().exists(), "the kubeconfig outlived the cluster");
    let left = "ip -o link | grep -E 'cni0|veth|ringfort'; nft list tables | grep -E 'kube|ringfort'; \
                ip route | grep 10.244; ip -6 route show proto 82; ls -A /var/lib/ringfort | grep -v seed";
    for machine in cluster.machines() {
        assert_eq!(cluster.on(machine, &format!("{left}; true")).trim(), "", "{machine}");
    }
}

/// A control plane and a worker leave the specification, others come in their place. Pods of the
/// worker run elsewhere, no write is lost, and the machines that left are as before.
fn exchanged(cluster: &Cluster) {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sample.yaml");
    let applied = cluster.kubectl(&["apply", "-f", sample]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    let rollout = ["-n", "sample", "rollout", "status", "deployment/hello", "--timeout=120s"];
    let rolled = cluster.kubectl(&rollout);
    assert_eq!(rolled.code, Some(0), "{}", rolled.stderr);
    let made = cluster.kubectl(&["create", "configmap", "moved", "--from-literal=a=b"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    cluster.exchange(&[("cp3", "cp4"), ("w1", "w4")]);
    let plan = cluster.ringfort("plan", &[]);
    well(&plan);
    for step in
        ["api Node w1", "w1 unit:kubelet.service", "cp3 unit:kubelet.service", "cp1 serving:etcd"]
    {
        assert!(plan.steps().iter().any(|planned| planned == step), "{step}: {:?}", plan.steps());
    }
    let up = cluster.ringfort("up", &[]);
    well(&up);
    // What waits is no change, and which key a new server signs with is known when it was made.
    let is_known =
        |step: &&String| !["serving:", "/service-account/"].iter().any(|it| step.contains(it));
    let known =
        |said: &Said| said.steps().iter().filter(is_known).cloned().collect::<BTreeSet<_>>();
    let (planned, taken) = (known(&plan), known(&up));
    let differ: Vec<_> = planned.symmetric_difference(&taken).collect();
    assert!(differ.is_empty(), "planned and not taken, or the reverse: {differ:#?}");
    println!("     up with two machines exchanged: {}", up.end());
    up.stages().for_each(|(name, seconds)| println!("     {seconds:6.1} s {name}"));
    nothing_planned(cluster);
    let nodes = cluster.kubectl(&["get", "nodes", "-o", "name"]).stdout;
    let names: Vec<&str> = nodes.lines().collect();
    assert_eq!(names, ["node/cp1", "node/cp2", "node/cp4", "node/w2", "node/w3", "node/w4"]);
    let rolled = cluster.kubectl(&rollout);
    assert_eq!(rolled.code, Some(0), "{}", rolled.stderr);
    let there = cluster.kubectl(&["get", "configmap", "moved"]);
    assert_eq!(there.code, Some(0), "{}", there.stderr);
    let changed = cluster.differences();
    let of_gone = |line: &&String| line.starts_with("cp3 ") || line.starts_with("w1 ");
    assert_eq!(changed.iter().filter(of_gone).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// A control plane that will never answer leaves for one that was reset before.
fn given_up(cluster: &Cluster) {
    let nodes = || cluster.kubectl(&["get", "nodes", "-o", "name"]).stdout;
    cluster.lab(&["stop", cluster.name(), "cp2", "--hard"]);
    cluster.exchange(&[("cp2", "cp3")]);
    let silent = cluster.ringfort("up", &[]);
    assert_eq!(silent.code, Some(4), "{}", silent.stderr);
    assert!(silent.stderr.contains("ringfort up --give-up cp2"), "{}", silent.stderr);
    well(&cluster.ringfort("up", &["--give-up", "cp2"]));
    nothing_planned(cluster);
    let of_others =
        ["cp1", "cp3", "cp4", "w2", "w3", "w4"].map(|name| format!("node/{name}\n")).concat();
    assert_eq!(nodes(), of_others);
    // Its certificate is good until its end: the next run takes away what it brings with it.
    cluster.lab(&["start", cluster.name(), "cp2"]);
    network::within(120, "cp2 is a node again", || nodes().contains("node/cp2"));
    well(&cluster.ringfort("up", &[]));
    assert_eq!(nodes(), of_others);
    cluster.lab(&["wipe", cluster.name(), "cp2"]);
    cluster.lab(&["start", cluster.name(), "cp2"]);
}

/// Sees that a plan has no steps.
pub fn nothing_planned(cluster: &Cluster) {
    let plan = cluster.ringfort("plan", &[]);
    well(&plan);
    assert_eq!(plan.steps(), Vec::<String>::new());
    let closes: Vec<_> = plan.events.iter().filter(|it| it["event"] == "closes").collect();
    assert!(closes.is_empty(), "nothing changes, and pods would be closed: {closes:#?}");
}

/// Sees that a run ended well.
pub fn well(said: &Said) {
    let is_open = |event: &&Value| match event["event"].as_str() {
        Some("proof") => event["verdict"] != "proved",
        Some("preflight") => event["fatal"] == true,
        _ => false,
    };
    let open: Vec<&Value> = said.events.iter().filter(is_open).collect();
    assert_eq!(said.code, Some(0), "{}\n{open:#?}\n{}", said.stderr, said.end());
}
