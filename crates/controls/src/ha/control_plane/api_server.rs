//! The API server of each control plane.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ringfort_model::certificate::{Authority, San, Subject, Usage};
use ringfort_model::mode::Owner;
use ringfort_model::net::Family;
use ringfort_model::reach::API_PORT;
use ringfort_spec::{EndpointHost, Spec};

use super::image;
use crate::draft::{Component, Leaf, Mount, Place, Scheme, Shape};
use crate::paths;

pub(crate) fn make(spec: &Spec, at: &mut Place<'_, '_>) {
    let api = Component::ApiServer;
    let address = at.address();
    let shape = Shape {
        image: image(at, api),
        scheme: Scheme::Https(paths::CA),
        health: SocketAddr::new(address, API_PORT),
        lives: "/livez",
        serves: "/readyz",
        cpu: "100m",
        memory: "256Mi",
    };
    at.pod(api, shape);
    at.mount(api, paths::PKI, Mount::Reads);
    at.authority(paths::CA, Authority::Cluster);
    at.flag(api, "--advertise-address", address);
    if spec.network.family() == Family::V6 {
        at.flag(api, "--bind-address", "::");
    }
    at.flag(api, "--secure-port", API_PORT);
    at.flag(api, "--service-cluster-ip-range", spec.network.services);
    at.flag(api, "--client-ca-file", paths::CA);
    serving(spec, at);
    forwarding(at);
}

fn serving(spec: &Spec, at: &mut Place<'_, '_>) {
    let domain = &spec.network.domain;
    let service = format!("kubernetes.default.svc.{domain}");
    let dns = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", &service, "localhost"];
    let mut names: BTreeSet<San> = dns.into_iter().map(|name| San::Dns(name.to_owned())).collect();
    names.insert(San::Dns(at.name().to_string()));
    names.insert(San::Ip(at.address()));
    names.insert(San::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    names.insert(San::Ip(spec.network.api_address()));
    names.extend(spec.endpoint.as_ref().map(|endpoint| match &endpoint.host {
        EndpointHost::Name(name) => San::Dns(name.clone()),
        EndpointHost::Address(address) => San::Ip(*address),
    }));
    at.leaf(Leaf {
        stem: "/etc/kubernetes/pki/apiserver",
        owner: Owner::ROOT,
        authority: Authority::Cluster,
        subject: Subject::user("kube-apiserver"),
        usages: &[Usage::ServerAuth],
        names,
    });
    at.flag(Component::ApiServer, "--tls-cert-file", "/etc/kubernetes/pki/apiserver.crt");
    at.flag(Component::ApiServer, "--tls-private-key-file", "/etc/kubernetes/pki/apiserver.key");
}

/// The identity with which requests are forwarded to extension servers.
fn forwarding(at: &mut Place<'_, '_>) {
    let client = "front-proxy-client";
    at.authority(paths::FRONT_PROXY_CA, Authority::FrontProxy);
    at.leaf(Leaf {
        stem: "/etc/kubernetes/pki/front-proxy-client",
        owner: Owner::ROOT,
        authority: Authority::FrontProxy,
        subject: Subject::user(client),
        usages: &[Usage::ClientAuth],
        names: BTreeSet::new(),
    });
    let flags = [
        ("--proxy-client-cert-file", "/etc/kubernetes/pki/front-proxy-client.crt"),
        ("--proxy-client-key-file", "/etc/kubernetes/pki/front-proxy-client.key"),
        ("--requestheader-allowed-names", client),
        ("--requestheader-client-ca-file", paths::FRONT_PROXY_CA),
        ("--requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        ("--requestheader-group-headers", "X-Remote-Group"),
        ("--requestheader-username-headers", "X-Remote-User"),
    ];
    for (flag, value) in flags {
        at.flag(Component::ApiServer, flag, value);
    }
}
