//! Who may talk to whom, and what is shown to the outside.

pub mod backends_exist;
mod balancer;
mod egress;
pub mod hosts_are_unique;
pub mod ingress_by_tls;
pub mod ingress_names_hosts;
pub mod load_balancers_are_limited;
pub mod load_balancers_by_tls;
pub mod namespaces_have_policies;
pub mod no_egress_to_kubelets;
pub mod no_egress_to_metadata;
pub mod no_node_ports;
pub mod pods_are_isolated;
pub mod services_without_external_ips;
