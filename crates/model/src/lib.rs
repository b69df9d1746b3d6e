//! The nouns of ringfort, with nothing but shape: what a cluster should be, what was seen of it,
//! what may be done to a machine, and how the operator and a machine speak. One file a noun.
//!
//! Never here: input or output, clocks, randomness, asynchrony, knowledge of Kubernetes' clients.

pub mod act;
pub mod addon;
pub mod api_object;
pub mod audit_summary;
pub mod blueprint;
pub mod bundle;
pub mod causes;
pub mod certificate;
pub mod content;
pub mod controllers;
pub mod day;
pub mod digest;
pub mod etcd;
pub mod event;
pub mod frame;
pub mod hand_over;
pub mod identity;
pub mod image;
pub mod integrity;
pub mod item;
pub mod journal;
pub mod judgement;
pub mod kernel;
pub mod known;
pub mod machine;
pub mod metadata;
pub mod mode;
pub mod name;
pub mod net;
pub mod network_policy;
pub mod pod_security;
pub mod reach;
pub mod receiver;
pub mod reference;
pub mod routes;
pub mod secret;
pub mod seen;
pub mod severity;
pub mod step;
pub mod survey;
pub mod trust;
pub mod tunnel;
pub mod version;
