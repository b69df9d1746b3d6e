//! A pod that writes through the API's Service while parts are stopped: it counts up, and says how far it got.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen};

use super::rehearsal::{ELECTION_MS, seconds};
use crate::proof::{Course, Gaps, Scene, fail, pod, words};

/// How long the API's Service leads to a server that is gone, in milliseconds: until its lease has ended,
/// which API servers give each other for that long.
const LEASE_MS: u64 = 15_000;
/// The longest pause of a pod that passes: that, and an election of etcd.
pub(super) const POD_PAUSE_LIMIT_MS: u64 = LEASE_MS + ELECTION_MS;
/// Looks before giving up on the pod's first write.
const LOOKS: (usize, u64) = (120, 500);
/// The pod, its account, and what it counts up.
pub(super) const WRITER: &str = "canary-writer";

/// What a pod wrote.
pub(super) struct Written {
    pub(super) acknowledged: u64,
    /// 0 where no pause was worth telling.
    longest_pause_ms: u64,
}

impl Written {
    /// Says how long its longest pause was.
    pub(super) fn pause(&self) -> String {
        match self.longest_pause_ms {
            0 => "under 0.5 s".to_owned(),
            pause => seconds(pause),
        }
    }
}

/// Starts the pod and waits for its first writes; says whether they came.
pub(super) fn begin(course: &mut Course<'_>, scene: &Scene, gaps: &mut Gaps) -> Result<bool, Next> {
    let Some(worker) = scene.workers.first() else { return Ok(false) };
    let mut objects: Vec<Value> = rights(scene).into();
    let mut writer = pod::restricted(scene, WRITER);
    writer["metadata"]["labels"] = json!({pod::OPEN: "yes"});
    writer["spec"]["nodeName"] = json!(worker);
    writer["spec"]["serviceAccountName"] = WRITER.into();
    writer["spec"]["automountServiceAccountToken"] = true.into();
    writer["spec"]["containers"][0]["args"] = json!(["write", WRITER]);
    objects.push(writer);
    for (act, seen) in
        course.step(objects.into_iter().map(|it| scene.ask(Ask::Create(it))).collect())?
    {
        if !matches!(seen, Seen::Object(_)) {
            let Act::Ask { ask: Ask::Create(object), .. } = act else { continue };
            let kind = object["kind"].as_str().unwrap_or_default();
            gaps.add(format!("{kind} of a pod that writes: {}", words(seen)));
        }
    }
    let has_written = |seen: &[(Act, Seen)]| matches!(seen, [(_, Seen::Text(text))] if read(text).acknowledged > 0);
    let seen = course.until(LOOKS, || vec![log(scene)], has_written)?;
    if let Some((_, seen)) = seen.iter().find(|(_, seen)| !matches!(seen, Seen::Text(_))) {
        gaps.add(format!("a pod that writes: {}", words(seen)));
    }
    Ok(has_written(seen))
}

/// Compares what the pod says it wrote with what is there.
pub(super) fn written(
    course: &mut Course<'_>,
    scene: &Scene,
    gaps: &mut Gaps,
) -> Result<Written, Next> {
    let said = course.step(vec![log(scene)])?;
    let there = course.step(vec![scene.ask(Ask::Get(scene.key("v1", "ConfigMap", WRITER)))])?;
    let written = match said {
        [(_, Seen::Text(text))] => read(text),
        [(_, other)] => {
            gaps.add(format!("what a pod wrote: {}", words(other)));
            read("")
        }
        _ => read(""),
    };
    if written.acknowledged == 0 {
        gaps.add("no write of a pod was acknowledged".to_owned());
    }
    match there {
        [(_, Seen::Object(object))] => {
            let count =
                object["data"]["count"].as_str().and_then(|count| count.parse::<u64>().ok());
            if count.unwrap_or_default() < written.acknowledged {
                let said = format!(
                    "{} writes of a pod were acknowledged, and {} are there",
                    written.acknowledged,
                    count.unwrap_or_default()
                );
                return Err(fail(said, "do not use this cluster: etcd's members must agree"));
            }
        }
        [(_, other)] => gaps.add(format!("what a pod wrote: {}", words(other))),
        _ => {}
    }
    if written.longest_pause_ms > POD_PAUSE_LIMIT_MS {
        let said = format!(
            "a pod's writes paused for {} meanwhile, and {} is the most",
            seconds(written.longest_pause_ms),
            seconds(POD_PAUSE_LIMIT_MS),
        );
        return Err(fail(said, "look at kube-proxy on the workers"));
    }
    Ok(written)
}

fn log(scene: &Scene) -> Act {
    scene.ask(Ask::Logs { namespace: scene.namespace.clone(), pod: WRITER.to_owned() })
}

/// Reads what the probe prints: how far it got, and each pause.
fn read(log: &str) -> Written {
    let numbers = |name: &'static str| {
        let of_it = log.lines().filter_map(move |line| line.strip_prefix(name));
        of_it.filter_map(|rest| rest.trim().parse::<u64>().ok())
    };
    Written {
        acknowledged: numbers("acknowledged ").max().unwrap_or_default(),
        longest_pause_ms: numbers("pause ").max().unwrap_or_default(),
    }
}

/// What the pod counts up, and that it may.
fn rights(scene: &Scene) -> [Value; 4] {
    let object = |api_version: &str, kind: &str, rest: Value| {
        let mut object = json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": WRITER, "namespace": scene.namespace},
        });
        if let (Value::Object(object), Value::Object(rest)) = (&mut object, rest) {
            object.extend(rest);
        }
        object
    };
    let group = "rbac.authorization.k8s.io";
    let rule = json!({
        "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [WRITER], "verbs": ["patch"],
    });
    let subject = json!({"kind": "ServiceAccount", "name": WRITER, "namespace": scene.namespace});
    let role = json!({"apiGroup": group, "kind": "Role", "name": WRITER});
    let version = format!("{group}/v1");
    [
        object("v1", "ConfigMap", json!({"data": {"count": "0"}})),
        object("v1", "ServiceAccount", json!({})),
        object(&version, "Role", json!({"rules": [rule]})),
        object(&version, "RoleBinding", json!({"roleRef": role, "subjects": [subject]})),
    ]
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_a_pod_wrote_is_read() {
        let written =
            read("acknowledged 9\npause 700\nacknowledged 31\npause 1200\nacknowledged x\n");
        assert_eq!((written.acknowledged, written.longest_pause_ms), (31, 1200));
    }
}
