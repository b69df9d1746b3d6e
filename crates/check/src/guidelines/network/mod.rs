//! Who may talk to whom, and what is shown to the outside.

mod egress;
pub mod ingress_by_tls;
pub mod ingress_names_hosts;
pub mod load_balancers_are_limited;
pub mod no_egress_to_kubelets;
pub mod no_egress_to_metadata;
pub mod no_node_ports;
pub mod pods_are_isolated;
pub mod services_without_external_ips;
