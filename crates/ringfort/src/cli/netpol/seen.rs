//! What a question is answered from, wherever it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::net::Cidr;
use ringfort_model::network_policy::Defaults;
use ringfort_policy::{
    End, Home, Labels, Leads, Outgrown, Place, Pod, Service, Slice, Unreadable, World,
    endpoint_slice, outgrown, service, shut, slice_of, with_name,
};
use ringfort_spec::nearest;

use super::super::Fault;
use super::ends::{instead, of_pod};

/// What a question is answered from.
#[derive(Clone)]
pub struct Seen {
    /// Namespaces, pods and policies.
    pub world: World,
    /// The keys of labels of namespaces that are nobody's but ringfort's: they go when it no longer sets them.
    pub own_labels: BTreeMap<String, BTreeSet<String>>,
    /// Namespaces of which only the name is known.
    pub bare: BTreeSet<String>,
    /// Addresses of Services, which stand for pods and are no end of a connection.
    pub service_addresses: BTreeMap<IpAddr, Place>,
    /// Services, or why they cannot be read, which matters where one of them is asked about.
    pub services: BTreeMap<Place, Result<Service, Unreadable>>,
    /// EndpointSlices by the Services that they are of, or why one cannot be read, which matters as little.
    pub slices: BTreeMap<Place, Result<Vec<Slice>, Unreadable>>,
    /// Cluster-wide policies of kinds or versions that are not read.
    pub wider: Vec<String>,
    /// What else has to be known of the answer.
    pub notes: Vec<String>,
}

impl Seen {
    /// Makes one in which nothing was seen yet.
    pub fn new(defaults: Defaults) -> Self {
        Self {
            world: World::new(defaults),
            own_labels: BTreeMap::new(),
            bare: BTreeSet::new(),
            service_addresses: BTreeMap::new(),
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            wider: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Gives namespaces that were not seen themselves the one label that each has.
    pub fn complete(&mut self) {
        let places = self.world.pods.keys().chain(self.world.policies.keys());
        let named: BTreeSet<String> = places.map(|place| place.namespace.clone()).collect();
        for namespace in named {
            if !self.world.namespaces.contains_key(&namespace) {
                let labels = with_name(Labels::new(), &namespace);
                self.world.namespaces.insert(namespace.clone(), labels);
                self.bare.insert(namespace);
            }
        }
    }

    /// Takes a Service.
    pub fn service(&mut self, place: &Place, object: &serde_json::Value) {
        let spec = &object["spec"];
        let all = spec["clusterIPs"].as_array().into_iter().flatten().chain(spec.get("clusterIP"));
        let addresses = all.filter_map(|each| each.as_str()?.parse::<IpAddr>().ok());
        self.service_addresses.extend(addresses.map(|address| (address, place.clone())));
        self.services.insert(place.clone(), service(object));
    }

    /// Takes an EndpointSlice of a namespace, if it is of a Service.
    pub fn slice(&mut self, namespace: &str, object: &serde_json::Value) {
        let Some(name) = slice_of(object) else { return };
        let service = Place::new(namespace, name);
        let read = endpoint_slice(object, service.clone());
        let known = self.slices.entry(service).or_insert_with(|| Ok(Vec::new()));
        match (known, read) {
            (Ok(all), Ok(slice)) => all.push(slice),
            (Err(_), Ok(_)) => {}
            (known, Err(why)) => *known = Err(why),
        }
    }

    /// Takes it as the nodes of pods do where policies of a namespace come to more than they may take of one.
    pub fn shut_outgrown(&mut self, ends: &[&End]) {
        let pods = ends.iter().filter_map(|end| match self.find((*end).clone()).ok()? {
            End::Pod(place) => self.world.pods.get(&place)?.node.clone(),
            End::Address(_) => None,
        });
        self.shut_outgrown_of(pods.collect());
    }

    /// The same for the nodes that are named.
    pub fn shut_outgrown_of(&mut self, nodes: BTreeSet<String>) {
        for node in nodes {
            let home = self.home(node);
            let outgrown = outgrown(&self.world, &home);
            if outgrown.is_empty() {
                continue;
            }
            for note in outgrown.iter().map(|it| Outgrown(it).to_string()) {
                // Another node may have told of it already.
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
            self.world = shut(&self.world, outgrown);
        }
    }

    /// Gives a node as far as it decides what policies take of it. Where nobody told of its range it is the addresses
    /// of its own pods and no more: in a wider one, other nodes' pods would have none.
    fn home(&self, node: String) -> Home {
        let World { pods, ranges, .. } = &self.world;
        let of_pods = || {
            let is_own = |pod: &&Pod| pod.is_subject() && pod.node.as_ref() == Some(&node);
            let addresses = pods.values().filter(is_own).flat_map(|pod| &pod.addresses);
            let one = |it: &IpAddr| Cidr::holding(*it, if it.is_ipv4() { 32 } else { 128 });
            addresses.filter_map(one).collect()
        };
        let own = ranges.get(&node).cloned().unwrap_or_else(of_pods);
        let all = ranges.values().flatten().copied().collect();
        Home { node, ranges: own, all, attached: [].into() }
    }

    /// Finds what was meant by an end: a workload may be named without its kind.
    ///
    /// # Errors
    /// It is not there, or several could be meant.
    pub fn find(&self, end: End) -> Result<End, Fault> {
        match end {
            End::Address(address) => match self.service_addresses.get(&address) {
                None => Ok(End::Address(address)),
                Some(place) => Err(Fault::usage(format!(
                    "{address} is the address of Service {place}: policies are about the pods \
                     behind it, so ask about --to {}",
                    of_service(place)
                ))),
            },
            End::Pod(place) => self.find_pod(place).map(End::Pod),
        }
    }

    /// Finds a Service.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn find_service(&self, place: &Place) -> Result<&Service, Fault> {
        match self.services.get(place) {
            Some(Ok(service)) => Ok(service),
            Some(Err(why)) => Err(Fault::usage(why.to_string())),
            None => {
                let all: Vec<String> = self.services.keys().map(of_service).collect();
                let names: Vec<&str> = all.iter().map(String::as_str).collect();
                let way_out = way_out(&place.namespace, &of_service(place), &names, &all);
                let pod = instead(place).into_iter().find_map(|it| self.find_pod(it).ok());
                let pod = pod.map(|it| format!("; a pod is written {}", of_pod(&it)));
                let pod = pod.unwrap_or_default();
                Err(Fault::usage(format!("there is no Service {place}: {way_out}{pod}")))
            }
        }
    }

    /// Gives the EndpointSlices of a Service, where they say where it leads.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn find_slices(&self, place: &Place, service: &Service) -> Result<&[Slice], Fault> {
        match self.slices.get(place).filter(|_| service.leads == Leads::Others) {
            Some(Ok(slices)) => Ok(slices),
            Some(Err(why)) => Err(Fault::usage(why.to_string())),
            None => Ok(&[]),
        }
    }

    fn find_pod(&self, place: Place) -> Result<Place, Fault> {
        let pods = &self.world.pods;
        if pods.contains_key(&place) {
            return Ok(place);
        }
        let of_name = |other: &&Place| {
            let name = other.name.split_once('/').map(|(_, name)| name);
            other.namespace == place.namespace && name == Some(place.name.as_str())
        };
        let meant: Vec<&Place> = pods.keys().filter(of_name).collect();
        match meant.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let way_out = self.way_out(&place);
                Err(Fault::usage(format!("there is no pod {}: {way_out}", of_pod(&place))))
            }
            several => {
                let all = several.iter().map(|it| of_pod(it)).collect::<Vec<_>>();
                Err(Fault::usage(format!(
                    "{} could be several: write one of {}",
                    of_pod(&place),
                    all.join(", ")
                )))
            }
        }
    }

    fn way_out(&self, place: &Place) -> String {
        let pods = self.world.pods.keys();
        let all: Vec<String> = pods.clone().map(of_pod).collect();
        let without_kind = pods.filter_map(|place| {
            let (_, name) = place.name.split_once('/')?;
            Some(of_pod(&Place::new(place.namespace.clone(), name)))
        });
        let short: Vec<String> = without_kind.collect();
        let names: Vec<&str> = short.iter().chain(&all).map(String::as_str).collect();
        way_out(&place.namespace, &of_pod(place), &names, &all)
    }
}

/// Says what could have been meant of names, or what else there is of a namespace.
fn way_out(namespace: &str, text: &str, names: &[&str], all: &[String]) -> String {
    let begin = format!("{namespace}/");
    let of_namespace: Vec<&str> =
        all.iter().map(String::as_str).filter(|name| name.starts_with(&begin)).collect();
    match (nearest(text, names), of_namespace.as_slice()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) => format!("nothing was found in namespace {namespace}"),
        (None, few) if few.len() <= 10 => format!("there are {}", few.join(", ")),
        (None, many) => format!("there are {} others in that namespace", many.len()),
    }
}

/// Writes a Service as it is asked about.
pub fn of_service(place: &Place) -> String {
    format!("{}/svc/{}", place.namespace, place.name)
}

#[cfg(test)]
mod tests {
    use ringfort_controls::network::default_deny::defaults;
    use ringfort_policy::{End, Place, place, pod, policy};
    use serde_json::{Value, json};

    use super::Seen;

    /// Policies that part each pod of another node from all others: what they come to depends on how many those are.
    fn seen(elsewhere: usize) -> Seen {
        let mut seen = Seen::new(defaults(true));
        let mut put = |node: &str, number: usize, address: String| {
            let name = format!("{node}-{number}");
            let object = json!({
                "metadata": {"namespace": "a", "name": name, "labels": {"name": name}},
                "spec": {"nodeName": node},
                "status": {"podIP": address},
            });
            seen.world.pods.insert(place(&object).unwrap(), pod(&object));
        };
        (0..2).for_each(|number| put("w1", number, format!("10.1.1.{}", number + 2)));
        for number in 0..elsewhere {
            put("w2", number, format!("10.2.{}.{}", number / 250, 2 + number % 250));
        }
        let rule = |number: usize| {
            let not =
                json!([{"key": "name", "operator": "NotIn", "values": [format!("w2-{number}")]}]);
            json!({
                "from": [{"podSelector": {"matchExpressions": not}}],
                "ports": [{"port": 1 + 2 * number}],
            })
        };
        let object = json!({
            "metadata": {"namespace": "a", "name": "heavy"},
            "spec": {"podSelector": {}, "ingress": (0..900).map(rule).collect::<Value>()},
        });
        seen.world.policies.insert(place(&object).unwrap(), policy(&object).unwrap());
        seen.complete();
        seen
    }

    #[test]
    fn it_is_seen_that_pods_of_other_nodes_are_more_than_a_node_s_rules_hold() {
        let check = |elsewhere: usize, is_told: bool, outgrown: usize| {
            let mut seen = seen(elsewhere);
            if is_told {
                for (node, range) in [("w1", "10.1.1.0/24"), ("w2", "10.2.0.0/16")] {
                    seen.world.ranges.insert(node.to_owned(), vec![range.parse().unwrap()]);
                }
            }
            let own = End::Pod(Place::new("a", "w1-0"));
            seen.shut_outgrown(&[&own, &own]);
            assert_eq!(seen.notes.len(), outgrown, "{elsewhere}, {is_told}: {:?}", seen.notes);
            assert!(
                seen.notes.iter().all(|it| it.contains("of namespace a close and open nothing"))
            );
        };
        check(1_000, false, 1);
        check(1_000, true, 1);
        check(10, false, 0);
    }
}
