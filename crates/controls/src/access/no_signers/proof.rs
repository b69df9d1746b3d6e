//! No machine holds an authority's key, and a request for a certificate comes to nothing even if it is
//! approved, whoever is asked to sign it.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;

use crate::proof::{Scene, course, fail, gap, pass, words};

/// Upstream's own signers.
const SIGNERS: [(&str, &str); 4] = [
    ("kubernetes.io/kube-apiserver-client", "client auth"),
    ("kubernetes.io/kube-apiserver-client-kubelet", "client auth"),
    ("kubernetes.io/kubelet-serving", "server auth"),
    ("kubernetes.io/legacy-unknown", "client auth"),
];
/// A signer would have signed by then.
const PATIENCE_MS: u64 = 3_000;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let look = |node: &NodeName| Act::PrivateKeys { node: node.clone() };
        let keys = course.step(scene.machines().map(look).collect())?;
        if let Some(wrong) = keys_of_authorities(scene, keys) {
            return Ok(wrong);
        }
        let object = |(place, (signer, usage)): (usize, &(&str, &str))| {
            json!({
                "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
                "metadata": {"name": name(scene, place), "labels": {"ringfort.dev/canary": "true"}},
                "spec": {"request": REQUEST, "signerName": signer, "usages": ["digital signature", usage]},
            })
        };
        let create = SIGNERS.iter().enumerate().map(|one| scene.ask(Ask::Create(object(one))));
        let made = course.step(create.collect())?;
        let mut pending = Vec::new();
        for (place, (_, seen)) in made.iter().enumerate() {
            match seen {
                Seen::Object(_) => pending.push(place),
                // A request that is not even taken comes to nothing as well.
                Seen::Refused { status: 403 | 422, .. } => {}
                other => {
                    let said =
                        format!("a request for a certificate was not tried: {}", words(other));
                    return Ok(gap(said, "ringfort prove"));
                }
            }
        }
        let approve = |place: &usize| scene.ask(Ask::Approve(key(scene, *place)));
        let approved = course.step(pending.iter().map(approve).collect())?;
        if let Some((_, other)) = approved.iter().find(|(_, seen)| {
            !matches!(seen, Seen::Object(_) | Seen::Refused { status: 403 | 422, .. })
        }) {
            return Ok(gap(
                format!("a request was not approved: {}", words(other)),
                "ringfort prove",
            ));
        }
        let mut look = vec![Act::Wait { ms: PATIENCE_MS }];
        look.extend(pending.iter().map(|place| scene.ask(Ask::Get(key(scene, *place)))));
        let looked = course.step(look)?;
        course.step(
            pending.iter().map(|place| scene.ask(Ask::Delete(key(scene, *place)))).collect(),
        )?;
        for (place, (_, seen)) in pending.iter().zip(&looked[1..]) {
            match seen {
                Seen::Object(request)
                    if request.pointer("/status/certificate").and_then(Value::as_str).is_some() =>
                {
                    return Ok(fail(
                        format!(
                            "a request to {} was signed by somebody in the cluster",
                            SIGNERS[*place].0
                        ),
                        "check --controllers of kube-controller-manager: ringfort up",
                    ));
                }
                Seen::Object(_) | Seen::Absent => {}
                other => {
                    return Ok(gap(
                        format!("a request was not read: {}", words(other)),
                        "ringfort prove",
                    ));
                }
            }
        }
        Ok(pass(
            format!(
                "no authority's key is on any of {} machines ({} keys looked at), and {} requests for certificates, {} of them approved, were signed by nobody",
                keys.len(),
                keys.iter()
                    .map(|(_, seen)| if let Seen::Keys(keys) = seen { keys.len() } else { 0 })
                    .sum::<usize>(),
                SIGNERS.len(),
                approved.iter().filter(|(_, seen)| matches!(seen, Seen::Object(_))).count(),
            ),
            course.so_far(),
        ))
    })
}

fn keys_of_authorities(scene: &Scene, looks: &[(Act, Seen)]) -> Option<Next> {
    let mut gaps = Vec::new();
    for (node, (_, seen)) in scene.machines().zip(looks) {
        let Seen::Keys(keys) = seen else {
            gaps.push(format!("{node}: {}", words(seen)));
            continue;
        };
        for key in keys {
            let Some(public) = &key.public_key else {
                gaps.push(format!(
                    "{node}: {} holds a key of a kind that is not understood",
                    key.path
                ));
                continue;
            };
            let whose = scene.authorities.iter().find(|(_, mark)| mark.public_key == *public);
            if let Some((authority, _)) = whose {
                return Some(fail(
                    format!("{node}: {} holds the key of {}", key.path, authority.common_name()),
                    "take it away, and make the cluster anew: who had it can be anybody",
                ));
            }
        }
        if keys.is_empty() {
            gaps.push(format!("{node}: no key was found at all"));
        }
    }
    gaps.first().map(|first| gap(format!("not looked at: {first}"), "ringfort prove"))
}

fn name(scene: &Scene, place: usize) -> String {
    format!("{}-{place}", scene.namespace)
}

fn key(scene: &Scene, place: usize) -> ObjectKey {
    ObjectKey {
        api_version: "certificates.k8s.io/v1".to_owned(),
        kind: "CertificateSigningRequest".to_owned(),
        namespace: None,
        name: name(scene, place),
    }
}

/// A request (PKCS #10, in base64 of its PEM text) whose key nobody has: it was thrown away.
const REQUEST: &str = "\
LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlId01JR1dBZ0VBTURReEZUQVRCZ05WQkFvTURITjVjM1Js\
YlRwdWIyUmxjekViTUJrR0ExVUVBd3dTYzNsegpkR1Z0T201dlpHVTZZMkZ1WVhKNU1Ga3dFd1lIS29aSXpqMENBUVlJS29a\
SXpqMERBUWNEUWdBRWpWejB0MzFCCjFaNkU5TVdOU0gzUWZiVDRWbHpJd1R4OFpiUEtJOVBLTVJ4eHZRNEkvT2ZTQ0dEMFQ2\
dzF6cmduUXdkR3o1YXQKYlp0OWd2Q3JWbEUyVjZBQU1Bb0dDQ3FHU000OUJBTUNBMGtBTUVZQ0lRRDFFUDU1aVdYRE9tQUY5\
Uk9yWFFYTQpNZmsyb05rSjR5cENxeUNlZHhtSklnSWhBSVA2alBJanlWeDFSWlpkYnFnaG15bFl6QkgrYU9aTVkvQkFiNFpp\
CjMzYW8KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";
