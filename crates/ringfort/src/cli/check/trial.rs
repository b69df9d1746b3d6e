//! `ringfort check --try-pods`: asks an API server, by dry runs, about pods that are expected to be let in.

use std::collections::BTreeMap;

use ringfort_api::{ApiError, Cluster, Method, Request, Target};
use ringfort_check::admission::{Heard, Trial, Tried};
use serde_json::Value;

/// Asks about every pod, and about one without a fault where a pod is refused.
pub(super) async fn try_all(
    trials: &[Trial],
    send: impl AsyncFn(&Value) -> Result<Value, ApiError>,
) -> Heard {
    let mut without: BTreeMap<&str, Result<(), String>> = BTreeMap::new();
    let mut heard = Heard::new();
    for trial in trials {
        let tried = match send(&trial.pod).await {
            Ok(kept) => trial.taken(&kept),
            Err(error) => match refusal(&error) {
                Err(why) => Tried::Nothing(why),
                Ok(words) => {
                    let taken = match without.get(trial.namespace.as_str()) {
                        Some(taken) => taken.clone(),
                        None => {
                            send(&trial.faultless).await.map(|_| ()).map_err(|it| it.to_string())
                        }
                    };
                    without.insert(&trial.namespace, taken.clone());
                    match taken {
                        Ok(()) => Tried::Refused(words),
                        Err(why) => Tried::Nothing(format!(
                            "the API server takes no pod there, not even one without a fault ({why})"
                        )),
                    }
                }
            },
        };
        heard.insert((trial.row, trial.namespace.clone()), tried);
    }
    heard
}

/// Asks a server to say what it would make of a pod.
pub(super) async fn send(cluster: &Cluster, pod: &Value) -> Result<Value, ApiError> {
    let target = Target::KindOf(pod);
    let request =
        Request { method: Method::Create, target, body: Some(pod), dry_run: true, user: None };
    cluster.send(&request).await
}

/// Gives the words by which admission refuses a pod.
///
/// # Errors
/// It is something else that hinders: why nothing was learnt.
fn refusal(error: &ApiError) -> Result<String, String> {
    match error {
        // An authorizer refuses by the resource, admission by the pod.
        ApiError::Refused { status: 403, message, .. } if message.contains(NO_RIGHT) => {
            Err("whoever asked may not create pods there".to_owned())
        }
        ApiError::Refused { message, .. } if message.contains(NO_DRY_RUN) => {
            Err(format!("a webhook takes none ({message})"))
        }
        ApiError::Refused { status: 400 | 403 | 422, message, .. } => Ok(message.clone()),
        other => Err(other.to_string()),
    }
}

const NO_RIGHT: &str = "cannot create resource \"pods\"";
const NO_DRY_RUN: &str = "does not support dry run";

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use ringfort_api::ApiError;
    use ringfort_check::admission::{Trial, Tried};
    use serde_json::{Value, json};

    use super::try_all;

    fn pod(namespace: &str, shares: bool) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": "p"},
            "spec": {"hostPID": shares, "containers": [{"name": "c", "image": "a"}]}})
    }

    fn refused(status: u16, message: &str) -> Result<Value, ApiError> {
        let reason = "Forbidden".to_owned();
        Err(ApiError::Refused { status, reason, message: message.to_owned() })
    }

    /// Tries a pod on a server that answers so with the fault, and so without it.
    fn check(
        faulty: &dyn Fn() -> Result<Value, ApiError>,
        faultless: &dyn Fn() -> Result<Value, ApiError>,
        expected: &dyn Fn(&Tried) -> bool,
    ) {
        let asked = RefCell::new(Vec::new());
        let trial = |row| Trial {
            row,
            namespace: "shop".to_owned(),
            pod: pod("shop", true),
            faultless: pod("shop", false),
        };
        let trials = [trial("5.2.2"), trial("5.2.3")];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let heard = runtime.block_on(try_all(&trials, async |pod| {
            let is_faulty = pod["spec"]["hostPID"] == true;
            asked.borrow_mut().push(is_faulty);
            if is_faulty { faulty() } else { faultless() }
        }));
        assert_eq!(heard.len(), 2);
        assert!(heard.values().all(expected), "{heard:?}");
        let without = asked.borrow().iter().filter(|it| !**it).count();
        assert!(without <= 1, "one without a fault is enough for a namespace");
    }

    #[test]
    fn what_the_server_says_is_what_it_is() {
        let (keeps, mends) = (|| Ok(pod("shop", true)), || Ok(json!({"kind": "Status"})));
        let denies = || refused(403, "pods \"p\" is forbidden: violates the house's rules");
        check(&keeps, &keeps, &|it| *it == Tried::LetIn);
        check(&mends, &keeps, &|it| matches!(it, Tried::Nothing(_)));
        check(
            &denies,
            &keeps,
            &|it| matches!(it, Tried::Refused(words) if words.contains("house")),
        );
        check(&denies, &denies, &|it| matches!(it, Tried::Nothing(why) if why.contains("no pod")));
    }

    #[test]
    fn what_hinders_the_trial_is_no_refusal() {
        let keeps = || Ok(pod("shop", true));
        let may_not = || {
            refused(
                403,
                "pods is forbidden: User \"eve\" cannot create resource \"pods\" in API group \"\" in the \
                 namespace \"shop\"",
            )
        };
        check(&may_not, &keeps, &|it| matches!(it, Tried::Nothing(why) if why.contains("may not")));
        let webhook = || refused(400, "admission webhook \"w\" does not support dry run");
        check(&webhook, &keeps, &|it| matches!(it, Tried::Nothing(_)));
        let gone = || Err(ApiError::Unreachable { why: "no answer".to_owned() });
        check(&gone, &keeps, &|it| matches!(it, Tried::Nothing(why) if why.contains("no answer")));
        let is_there = || refused(409, "pods \"p\" already exists");
        check(&is_there, &keeps, &|it| matches!(it, Tried::Nothing(_)));
    }
}
