//! The controller manager and the scheduler: clients of the API with a directory of their own keys,
//! which they read as a user that owns nothing else on the machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ringfort_model::certificate::{Authority, San, Subject, Usage};
use ringfort_model::content::Content;
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;

use super::image;
use crate::draft::{CLOSED, Component, Leaf, Mount, PRIVATE, PUBLIC, Place, Scheme, Shape};
use crate::kubeconfig::{self, Client};
use crate::paths;

pub(crate) fn controller_manager(spec: &Spec, at: &mut Place<'_, '_>) {
    let manager = Component::ControllerManager;
    client(spec, at, manager, "controller-manager", 10257, ("50m", "64Mi"));
    let pem = at.draft().authority(Authority::FrontProxy);
    let front_proxy = "/etc/kubernetes/controller-manager/front-proxy-ca.crt";
    at.file(front_proxy, PUBLIC, Owner::COMPONENT, Content::Text(pem));
    let ca = "/etc/kubernetes/controller-manager/ca.crt";
    at.flag(manager, "--root-ca-file", ca);
    at.flag(manager, "--requestheader-client-ca-file", front_proxy);
    at.flag(manager, "--cluster-name", &spec.name);
    at.flag(manager, "--service-cluster-ip-range", spec.network.services);
    // Ranges of pods are fixed for each node, not handed out.
    at.flag(manager, "--allocate-node-cidrs", false);
    at.flag(manager, "--terminated-pod-gc-threshold", 1000);
    // Before any controller begins it asks for the accounts of all of them, one after the other: at its usual 20
    // requests a second a new cluster waits five seconds and more for name servers and for accounts of pods. API
    // servers bound what it asks beside others by their own flow control.
    at.flag(manager, "--kube-api-qps", 100);
    at.flag(manager, "--kube-api-burst", 200);
}

pub(crate) fn scheduler(spec: &Spec, at: &mut Place<'_, '_>) {
    client(spec, at, Component::Scheduler, "scheduler", 10259, ("50m", "32Mi"));
}

fn client(
    spec: &Spec,
    at: &mut Place<'_, '_>,
    component: Component,
    short: &str,
    port: u16,
    (cpu, memory): (&'static str, &'static str),
) {
    let directory = format!("{}/{short}", paths::KUBERNETES);
    let shape = Shape {
        image: image(at, component),
        scheme: Scheme::Https(paths::CA),
        health: SocketAddr::from(([127, 0, 0, 1], port)),
        lives: "/healthz",
        serves: "/healthz",
        cpu,
        memory,
    };
    at.pod(component, shape);
    at.directory(&directory, CLOSED, Owner::COMPONENT);
    at.mount(component, &directory, Mount::Reads);
    keys(at, component, &directory);
    let config = format!("{}/{short}.conf", paths::KUBERNETES);
    let text = kubeconfig::file(&Client {
        cluster: &spec.name,
        user: &format!("system:{}", component.name()),
        ca: &format!("{directory}/ca.crt"),
        stem: &format!("{directory}/client"),
    });
    at.file(&config, PRIVATE, Owner::COMPONENT, Content::Text(text));
    at.mount(component, &config, Mount::File);
    for flag in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"] {
        at.flag(component, flag, &config);
    }
    at.flag(component, "--client-ca-file", format!("{directory}/ca.crt"));
    at.flag(component, "--tls-cert-file", format!("{directory}/serving.crt"));
    at.flag(component, "--tls-private-key-file", format!("{directory}/serving.key"));
}

fn keys(at: &mut Place<'_, '_>, component: Component, directory: &str) {
    let pem = at.draft().authority(Authority::Cluster);
    at.file(&format!("{directory}/ca.crt"), PUBLIC, Owner::COMPONENT, Content::Text(pem));
    at.leaf(Leaf {
        stem: &format!("{directory}/client"),
        owner: Owner::COMPONENT,
        authority: Authority::Cluster,
        subject: Subject::user(format!("system:{}", component.name())),
        usages: &[Usage::ClientAuth],
        names: BTreeSet::new(),
    });
    at.leaf(Leaf {
        stem: &format!("{directory}/serving"),
        owner: Owner::COMPONENT,
        authority: Authority::Cluster,
        subject: Subject::user(component.name()),
        usages: &[Usage::ServerAuth],
        names: BTreeSet::from([
            San::Dns("localhost".to_owned()),
            San::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ]),
    });
}
