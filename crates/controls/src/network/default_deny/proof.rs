//! Pods of a namespace that no policy opens find names and reach nothing else, and nobody reaches them
//! but their own machine.

use std::net::{IpAddr, SocketAddr};

use ringfort_model::act::{Act, Next, Seen, Transcript};
use ringfort_model::metadata::ENDPOINTS;
use ringfort_model::reach::API_PORT;

use super::super::network_policy::held::LOOK;
use super::super::network_policy::wider::is_enforced_by_ringfort;
use crate::proof::fence::{Tried, Within, dial, leak, tried};
use crate::proof::inside::{PORT, inside};
use crate::proof::pod::OPEN;
use crate::proof::{AGAIN, Course, Scene, course, fail, gap, pass, words};

/// What to do where a namespace is not closed as it should be.
fn look(scene: &Scene) -> &'static str {
    match is_enforced_by_ringfort(scene) {
        true => LOOK,
        false => OWN,
    }
}

const OWN: &str = "whoever brings the network makes the policy that closes every namespace but for the cluster's DNS: \
                   put a CiliumClusterwideNetworkPolicy, or Calico's GlobalNetworkPolicy, for all pods into its \
                   add-on, or waive network/default-deny (`ringfort explain network/default-deny`)";

/// A port of the metadata address that nobody serves: machines refuse it meanwhile, so that a pod hears when it
/// gets there.
const NOBODYS: u16 = 4711;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let open = inside(course, scene)?;
        let name = ["resolve".to_owned(), format!("kubernetes.default.svc.{}", scene.domain)];
        let address = |node| scene.addresses.get(node).map(ToString::to_string).unwrap_or_default();
        let all = || scene.control_planes.iter().chain(&scene.workers);
        let metadata = |port| dial(&metadata(scene).to_string(), port);
        let refused = refused_behind(course, scene)?.then(|| metadata(NOBODYS));
        let mut forbidden = vec![dial(&scene.api_address.to_string(), 443), metadata(80)];
        forbidden.extend(refused.clone());
        forbidden.extend(open.iter().map(|pod| dial(&pod.address, PORT)));
        forbidden.extend(all().map(|node| dial(&address(node), 10250)));
        for port in [2379, API_PORT] {
            forbidden.extend(scene.control_planes.iter().map(|node| dial(&address(node), port)));
        }
        let asks: Vec<[String; 2]> = [name.clone()].into_iter().chain(forbidden.clone()).collect();
        let closed = tried(course, scene, ("closed", Within::One), None, &asks)?;
        if let Some((node, target)) = leak(&closed, &forbidden)? {
            let said =
                format!("{node}: a pod of a namespace that no policy opens reaches {target}");
            return Ok(fail(said, look(scene)));
        }
        for pod in &closed {
            let node = &pod.node;
            let found = pod.answer(&name).filter(|it| *it != "silent").unwrap_or("nothing");
            if found != scene.api_address.to_string() {
                let said = format!(
                    "{node}: a pod of a closed namespace asks for {} and is told {found}",
                    name[1]
                );
                return Ok(fail(said, look(scene)));
            }
        }
        let within: Vec<[String; 2]> = closed.iter().map(|pod| dial(&pod.address, PORT)).collect();
        let control: Vec<[String; 2]> = open.iter().map(|pod| dial(&pod.address, PORT)).collect();
        let asks: Vec<[String; 2]> =
            within.iter().chain(&control).chain(&refused).cloned().collect();
        let callers = tried(course, scene, ("caller", Within::Both), Some(OPEN), &asks)?;
        if let Some((node, target)) = leak(&callers, &within)? {
            let said =
                format!("{node}: a pod there reaches {target} in a namespace that no policy opens");
            return Ok(fail(said, look(scene)));
        }
        for pod in &callers {
            let node = &pod.node;
            // A silence shows nothing where nobody is heard at all.
            if let Some(silent) = control.iter().find(|it| pod.answer(it) != Some("open")) {
                return Err(gap(format!("{node}: {} is silent as well", silent[1]), AGAIN));
            }
            if let Some(silent) = refused.iter().find(|it| pod.answer(it) != Some("refused")) {
                let said = format!("{node}: an open pod hears nothing of {} either", silent[1]);
                return Err(gap(said, AGAIN));
            }
        }
        let said = format!(
            "pods that no policy opens, on each of {} workers, find names{} and reach nothing else ({} tries{}); nobody reaches them from {} but their machine",
            scene.workers.len(),
            found_late(&closed, &name),
            scene.workers.len() * (forbidden.len() + within.len()),
            if refused.is_some() {
                ", the metadata address among them, which open pods reach"
            } else {
                ""
            },
            callers_of(scene),
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Says which pods found a name at a later try only, and after how long: a packet may be lost, and a network may open
/// late.
fn found_late(pods: &[Tried], name: &[String; 2]) -> String {
    let late = |pod: &Tried| Some(format!("{} after {} s", pod.node, pod.waited_s(name)?));
    let late: Vec<String> = pods.iter().filter_map(late).collect();
    match late.is_empty() {
        true => String::new(),
        false => format!(" (asked again, that of {})", late.join(", that of ")),
    }
}

/// From where it was tried to reach them: callers are in turn of another namespace and of their own.
fn callers_of(scene: &Scene) -> &'static str {
    match scene.workers.len() {
        0 | 1 => "another namespace (with one worker their own is not tried)",
        _ => "their own namespace or another",
    }
}

/// Where providers tell a machine its own secrets: the first address of the family that pods speak.
fn metadata(scene: &Scene) -> IpAddr {
    let is_spoken = |it: &IpAddr| it.is_ipv4() == scene.api_address.is_ipv4();
    let first = ENDPOINTS.iter().map(|it| it.address).find(is_spoken);
    first.unwrap_or(ENDPOINTS[0].address)
}

/// Has each worker refuse a port of the metadata address behind its filters. A network of one's own may lead
/// packets past where they would be refused, so that it is not asked.
fn refused_behind(course: &mut Course<'_>, scene: &Scene) -> Result<bool, Next> {
    if !is_enforced_by_ringfort(scene) {
        return Ok(false);
    }
    let at = SocketAddr::new(metadata(scene), NOBODYS);
    let refuse = scene.workers.iter().map(|node| Act::Refuse { node: node.clone(), at });
    for (worker, (_, seen)) in scene.workers.iter().zip(course.step(refuse.collect())?) {
        if !matches!(seen, Seen::Done) {
            return Err(gap(format!("{worker}: {}", words(seen)), AGAIN));
        }
    }
    Ok(true)
}
