//! Keys and certificates as values: what a machine does with its own private keys, and what the
//! operator does with the cluster's authorities.
//!
//! - On a machine: [`PrivateKey`] is made where it is used; its [`PrivateKey::signing_request`] and
//!   its public half leave the machine, the key does not.
//! - On the operator's side: an [`Authority`](ringfort_model::certificate::Authority) is a [`Ca`],
//!   kept in the sealed keyring. Opened for a moment as a [`Signer`], it signs what the blueprint
//!   asks for: names and usages come from the operator, and of a signing request only the public
//!   key is taken.
//! - A token of a service account can be made older than it is ([`aged`]), to see whether its life ends.
//! - A kubeconfig is the file with which a client finds and trusts a cluster: for a component it
//!   names its key by path ([`machine_kubeconfig`]), for a person it holds it ([`person_kubeconfig`]).
//!
//! Never here: files, clocks, networks. Time is a parameter; randomness comes from the one
//! cryptographic library and is the only effect.

mod ca;
mod ed25519;
mod key;
mod kubeconfig;
mod sign;
mod time;
mod token;
mod tunnel;

pub use ca::{CA_LIFE, Ca, CaError};
pub use ed25519::{Ed25519Key, Ed25519Public};
pub use key::{KeyError, PrivateKey, PublicKey, is_signed, public_half};
pub use kubeconfig::{Endpoint, Paths, machine_kubeconfig, person_kubeconfig};
pub use sign::{ClientIdentity, LEAF_LIFE, SignError, Signer};
pub use token::{AgeError, aged};
pub use tunnel::{TunnelSecret, TunnelSecretError};
