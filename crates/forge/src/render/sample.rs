//! Stand-ins for what a cluster only has once it is made, so that its blueprint can be read before.
//! Nothing here is ever written to a machine.

use std::collections::BTreeMap;

use ringfort_model::bundle::{API_VERSION, BundleLock, KIND, Sbom, Source};
use ringfort_model::certificate::Authority;
use ringfort_model::digest::Digest;
use ringfort_model::name::NodeName;
use ringfort_model::trust::{AuthorityFacts, EncryptionFacts, ServiceAccountKey, TrustFacts};
use ringfort_model::tunnel::{Carriage, PodTraffic, TunnelKey};
use ringfort_spec::{PodRangesError, Spec};

/// Makes up the public half of a trust.
///
/// # Errors
/// The pod range has not room for all nodes.
pub fn sample_trust(spec: &Spec) -> Result<TrustFacts, PodRangesError> {
    let authority = |authority: Authority| {
        let name = authority.common_name();
        let facts = AuthorityFacts {
            certificate_pem: pem("CERTIFICATE", &format!("certificate of {name}")),
            key_id: Digest::of(name.as_bytes()).as_str()[..40].to_owned(),
            not_after: i64::MAX,
        };
        (authority, facts)
    };
    let key = |node: &ringfort_spec::Node| {
        let said = format!("key of {}", node.name);
        let key = ServiceAccountKey {
            public_pem: pem("PUBLIC KEY", &said),
            node: node.name.clone(),
            since: 0,
            retired: None,
            announced: true,
        };
        (Digest::of(said.as_bytes()), key)
    };
    Ok(TrustFacts {
        authorities: Authority::ALL.into_iter().map(authority).collect(),
        service_account_keys: spec.control_planes().map(key).collect(),
        pod_ranges: spec.pod_ranges(&BTreeMap::new())?,
        carriage: Some(Carriage { traffic: PodTraffic::Encrypted, ..Carriage::default() }),
        tunnel_keys: spec
            .nodes
            .keys()
            .map(|node| (node.clone(), sample_tunnel_key(node)))
            .collect(),
        baseline_key: Some(pem("PUBLIC KEY", "key that signs baselines")),
        ..unknown(spec)
    })
}

/// Gives a trust, a bundle and a binary of which nothing is known.
pub(super) fn nothing(spec: &Spec) -> (TrustFacts, BundleLock, Digest) {
    let digest = Digest::of(b"");
    let bundle = BundleLock {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        kubernetes: spec.kubernetes,
        source: Source::Modules,
        compiler: None,
        recipe: digest.clone(),
        sbom: Sbom { path: String::new(), sha256: digest.clone(), size: 0 },
        host_tools: Vec::new(),
        entries: Vec::new(),
    };
    (unknown(spec), bundle, digest)
}

fn unknown(spec: &Spec) -> TrustFacts {
    let encryption = EncryptionFacts { keys: vec!["sample".to_owned()], digest: Digest::of(b"") };
    TrustFacts::of(spec.name.clone(), BTreeMap::new(), encryption)
}

/// Makes up a public half that nobody has the other half of.
pub fn sample_tunnel_key(node: &NodeName) -> TunnelKey {
    let said = format!("WireGuard key of {node}");
    let mut bytes = [b'.'; 32];
    for (byte, said) in bytes.iter_mut().zip(said.bytes()) {
        *byte = said;
    }
    TunnelKey(bytes)
}

fn pem(kind: &str, said: &str) -> String {
    format!("-----BEGIN {kind}-----\n(the {said} is made with the cluster)\n-----END {kind}-----\n")
}
