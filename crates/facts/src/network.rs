//! What who may talk to whom depends on: pods, Services, NetworkPolicies and cluster-wide policies, as the
//! API writes them.

mod object;
mod selector;
mod service;
mod wider;
mod written;

pub use object::{
    Direction, NamedPort, Peer, Place, Pod, Policy, Port, Protocol, Rule, Unreadable, labels,
    place, pod, policy,
};
pub use selector::{Labels, NotASelector, Selector};
pub use service::{
    IpFamily, Leads, Service, ServicePort, Slice, SliceEnd, SlicePort, TargetPort, endpoint_slice,
    service, slice_of,
};
pub use wider::{Action, Subject, Tier, WiderName, WiderPolicy, WiderRule};
pub use written::wider;
