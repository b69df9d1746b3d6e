//! Does one act, and says what came of it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio::sync::SemaphorePermit;

use ringfort_api::{ApiError, Cluster, Extent, Looked, Method, Target};
use ringfort_host::{Host, quote};
use ringfort_model::act::{Act, Ask, Part, Seen, Sending, Speaker};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;

use crate::dial::dial;
use crate::drive::{Site, listening, lost, refusing};
use crate::halt::{Halt, INTERRUPTED};
use crate::keep::{of_role, only_whether, whereabouts, without_others};
use crate::machine::run;
use crate::{etcd, leader, listen, machine, refuse, rehearse, token};

/// How long one act may take, apart from rehearsals.
const ACT_LIMIT: Duration = Duration::from_secs(60);
/// How long reading all of etcd may take.
const SCAN_LIMIT: Duration = Duration::from_secs(300);
/// How long a rehearsal may take where nobody interrupts it: the control plane's way down and up again.
const REHEARSAL_LIMIT: Duration = Duration::from_secs(360);
/// Requests of a sweep at a time.
const SWEEP_WIDTH: usize = 4;

/// Ends every count that was begun and not heard and whatever is refused, and gives back every machine that
/// was lost.
pub(crate) async fn hush(site: &Site, transcript: &[(Act, Seen)]) {
    // Counting disturbs nobody, and the next proof begins by ending it.
    join_all(listening(transcript).into_iter().map(|node| async {
        let end = async { run(way(&site.hosts, node)?, &listen::end()).await };
        tokio::time::timeout(ACT_LIMIT, end).await
    }))
    .await;
    // What is left where this does not come through refuses what nobody answers.
    join_all(refusing(transcript).into_iter().map(|node| async {
        let end = async { run(way(&site.hosts, node)?, &refuse::end()).await };
        tokio::time::timeout(ACT_LIMIT, end).await
    }))
    .await;
    // Where this does not come through, the machine does it by itself.
    join_all(lost(transcript).into_iter().map(|node| async {
        let end = async { rehearse::regain(way(&site.hosts, node)?).await };
        tokio::time::timeout(ACT_LIMIT, end).await
    }))
    .await;
}

pub(crate) async fn one(site: &Site, act: &Act, halt: &Halt) -> Seen {
    let limit = match act {
        Act::Rehearse { .. } => REHEARSAL_LIMIT,
        Act::Scan { .. } | Act::Sweep { .. } => SCAN_LIMIT,
        _ => ACT_LIMIT,
    };
    if let Some(silent) = site.silence.of(act, Instant::now()) {
        return silent;
    }
    let done = async {
        // Who waits for a turn does not use up the act's time.
        let _turn = turn(site, act).await;
        let begun = Instant::now();
        let seen = match tokio::time::timeout(limit, try_one(site, act, halt)).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(why)) => Seen::Failed { why },
            Err(_) => Seen::Failed { why: format!("no answer within {} s", limit.as_secs()) },
        };
        site.silence.note(act, begun.elapsed(), &seen, Instant::now());
        seen
    };
    match act {
        // It hears the word itself, since it has something to undo.
        Act::Rehearse { .. } => done.await,
        _ => tokio::select! {
            seen = done => seen,
            () = halt.called() => Seen::Failed { why: INTERRUPTED.to_owned() },
        },
    }
}

/// Waits until there is room on the machine that an act works on, if it is on one.
async fn turn<'a>(site: &'a Site, act: &Act) -> Option<SemaphorePermit<'a>> {
    // Requests to the API go through tunnels, which take turns of their own; what a rehearsal stops is
    // waited for by nobody.
    if matches!(
        act,
        Act::Ask { .. }
            | Act::Sweep { .. }
            | Act::TryToken { .. }
            | Act::TryBootstrapToken { .. }
            | Act::Rehearse { .. }
    ) {
        return None;
    }
    let node = act.node()?;
    site.turns.get(node)?.acquire().await.ok()
}

async fn try_one(site: &Site, act: &Act, halt: &Halt) -> Result<Seen, String> {
    let host = |node: &NodeName| way(&site.hosts, node);
    match act {
        Act::Wait { ms } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Ok(Seen::Done)
        }
        Act::Ask { server, speaker, ask: question } => {
            let servers = match speaker {
                Speaker::Anonymous => &site.strangers,
                _ => &site.servers,
            };
            Ok(ask(way(servers, server)?, speaker, question).await)
        }
        Act::ReadSealed { member, key } => etcd::sealed(host(member)?, &site.keys, key).await,
        Act::Scan { member, open } => {
            etcd::scan(host(member)?, &site.keys, open).await.map(Seen::Scanned)
        }
        Act::ReadAudit { server, holding } => audit(host(server)?, holding).await,
        Act::Sweep { server, paths } => sweep(way(&site.strangers, server)?, paths).await,
        Act::TryToken { server, wish } => {
            let ways = (&**way(&site.servers, server)?, site.hosts.get(server).map(|it| &**it));
            token::of_account(site, ways, wish).await
        }
        Act::TryBootstrapToken { server } => {
            token::of_bootstrap(site, way(&site.servers, server)?).await
        }
        Act::Dial(what) => {
            let from = host(&what.from)?;
            dial(from, site.program, &site.papers, what).await.map(Seen::Dialled)
        }
        Act::Listen { node, pods } => {
            run(host(node)?, &listen::begin(*pods)).await.map(|_| Seen::Done)
        }
        Act::Refuse { node, at } => run(host(node)?, &refuse::begin(*at)).await.map(|_| Seen::Done),
        Act::Hear { node } => {
            listen::read(&run(host(node)?, &listen::end()).await?).map(Seen::Heard)
        }
        Act::Lose { node } => rehearse::lose(host(node)?).await.map(|()| Seen::Done),
        Act::Regain { node } => rehearse::regain(host(node)?).await.map(|()| Seen::Done),
        Act::Rehearse { stop, part, through, namespace, counter, down_ms, writes_on_ms } => {
            let writer = |node| way(&site.balancers, node).map(|cluster| (node, &**cluster));
            let through = through.iter().map(writer).collect::<Result<_, _>>()?;
            let server = match part {
                Part::Balancer => way(&site.balancers, stop)?,
                Part::ControlPlane | Part::Etcd => way(&site.servers, stop)?,
            };
            let down = Duration::from_millis(*down_ms);
            let writes_on = writes_on_ms.map(Duration::from_millis);
            let host = host(stop)?;
            let stopped = rehearse::Stopped { part: *part, host, server, down, writes_on };
            let writing = rehearse::Writing { through, namespace, counter: counter.as_deref() };
            rehearse::rehearse(&stopped, &writing, stop, halt).await.map(Seen::Load)
        }
        look => look_at(site, look).await,
    }
}

/// Looks at a machine, and changes nothing there.
async fn look_at(site: &Site, act: &Act) -> Result<Seen, String> {
    let host = |node: &NodeName| way(&site.hosts, node);
    match act {
        Act::Files { node, paths } => machine::files(host(node)?, paths).await.map(Seen::Files),
        Act::Kernel { node, names } => machine::kernel(host(node)?, names).await.map(Seen::Values),
        Act::Processes { node, names } => {
            machine::processes(host(node)?, site.program, names).await.map(Seen::Processes)
        }
        Act::Listeners { node } => {
            machine::listeners(host(node)?, site.program).await.map(Seen::Listeners)
        }
        Act::Programs { node, names, paths } => {
            machine::programs(host(node)?, site.program, names, paths).await.map(Seen::Programs)
        }
        Act::Kept { server, holding } => {
            machine::kept(host(server)?, site.program, holding).await.map(Seen::Kept)
        }
        Act::Reported { server, changes } => {
            machine::reported(host(server)?, site.program, changes).await.map(Seen::Values)
        }
        Act::Told { server, holding, detection, to } => {
            let seen = machine::told(host(server)?, site.program, holding, detection, to).await;
            seen.map(Seen::Told)
        }
        Act::Enforced { node } => {
            machine::enforced(host(node)?, site.program).await.map(Seen::Values)
        }
        Act::Leads { member } => leader::leads(host(member)?).await.map(Seen::Values),
        Act::Canary { node } => machine::canary(host(node)?, site.program).await.map(Seen::Values),
        Act::PrivateKeys { node } => {
            machine::private_keys(host(node)?, site.program).await.map(Seen::Keys)
        }
        Act::Certificates { node } => {
            let found = machine::certificates(host(node)?, site.program).await;
            found.map(Seen::Certificates)
        }
        other => Err(format!("nobody knows how to do this: {other:?}")),
    }
}

fn way<'a, T>(ways: &'a BTreeMap<NodeName, T>, node: &NodeName) -> Result<&'a T, String> {
    ways.get(node).ok_or_else(|| format!("there is no way to {node}"))
}

/// How many requests of a flood are on their way at once.
const FLOOD_WIDTH: usize = 16;

async fn ask(cluster: &Cluster, speaker: &Speaker, ask: &Ask) -> Seen {
    let user = match speaker {
        Speaker::Keeper | Speaker::Anonymous => None,
        other => Some((other.user(), other.groups())),
    };
    let send = async |method, target: Target<'_>, body: Option<&Value>, dry_run| {
        let request = ringfort_api::Request { method, target, body, dry_run, user: user.as_ref() };
        cluster.send(&request).await
    };
    let answer = match ask {
        Ask::Create(object) => send(Method::Create, Target::KindOf(object), Some(object), false)
            .await
            .map(Seen::Object),
        Ask::WouldCreate(object) => {
            send(Method::Create, Target::KindOf(object), Some(object), true).await.map(Seen::Object)
        }
        Ask::Flood { object, times } => {
            let one = |_| send(Method::Create, Target::KindOf(object), Some(object), false);
            flooded(stream::iter((0..*times).map(one)).buffer_unordered(FLOOD_WIDTH)).await
        }
        Ask::WouldPatch { of, patch } => {
            send(Method::Merge, Target::Object(of), Some(patch), true).await.map(Seen::Object)
        }
        Ask::WouldDelete(key) => {
            send(Method::Delete, Target::Object(key), None, true).await.map(|_| Seen::Done)
        }
        // What is answered may be a token.
        Ask::WouldSend { how, path, body } => {
            let (method, body) = match how {
                Sending::Create => (Method::Create, Some(body)),
                Sending::Merge => (Method::Merge, Some(body)),
                Sending::Delete => (Method::Delete, None),
            };
            send(method, Target::Path(path), body, true).await.map(|_| Seen::Done)
        }
        Ask::WouldDeletePods { namespace, labelled } => {
            let label = labelled.replace('=', "%3D");
            let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={label}");
            send(Method::Delete, Target::Path(&path), None, true).await.map(|_| Seen::Done)
        }
        Ask::Get(key) => match send(Method::Get, Target::Object(key), None, false).await {
            Err(error) if error.status() == Some(404) => Ok(Seen::Absent),
            other => other.map(Seen::Object),
        },
        Ask::List { api_version, kind, namespace } => {
            let namespace = namespace.as_deref();
            let target = Target::Kind { api_version, kind, namespace };
            send(Method::Get, target, None, false).await.map(|list| items(list, |item| item))
        }
        Ask::Whereabouts => {
            let target = Target::Kind { api_version: "v1", kind: "Pod", namespace: None };
            let listed = send(Method::Get, target, None, false).await;
            listed.map(|list| items(list, |pod| whereabouts(&pod)))
        }
        Ask::Bindings => of_roles(["ClusterRoleBinding", "RoleBinding"], send).await,
        Ask::Roles => of_roles(["ClusterRole", "Role"], send).await,
        Ask::AsWritten(object) => cluster.look(object, Extent::Whole).await.map(looked),
        Ask::AsNamed(object) => cluster.look(object, Extent::Named).await.map(looked),
        Ask::Approve(key) => approve(cluster, key).await.map(Seen::Object),
        Ask::Delete(key) => match send(Method::Delete, Target::Object(key), None, false).await {
            Err(error) if error.status() == Some(404) => Ok(Seen::Done),
            other => other.map(|_| Seen::Done),
        },
        Ask::DeleteByForce(key) => {
            let how = by_force();
            send(Method::Delete, Target::Object(key), Some(&how), false).await.map(|_| Seen::Done)
        }
        Ask::Logs { namespace, pod } => cluster.logs(namespace, pod).await.map(Seen::Text),
        Ask::Read { path } => match &user {
            None => cluster.text(path).await.map(Seen::Text),
            Some(user) => cluster.text_as(user, path).await.map(Seen::Text),
        },
        Ask::Described => cluster.text("/openapi/v2").await.map(|text| described(&text)),
        Ask::Metrics { beginning } => cluster.text("/metrics").await.map(|text| {
            let wanted = text.lines().filter(|line| line.starts_with(beginning.as_str()));
            Seen::Lines(wanted.map(str::to_owned).collect())
        }),
    };
    only_whether(speaker, ask, answer.unwrap_or_else(refusal))
}

/// How a pod is deleted whose end nobody waits for.
fn by_force() -> Value {
    json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
}

fn looked(looked: Looked) -> Seen {
    match looked {
        Looked::Absent => Seen::Absent,
        Looked::Same => Seen::Lines(Vec::new()),
        Looked::Differs(paths) => Seen::Lines(paths),
    }
}

/// Waits until all of a flood is answered, or one of it refused.
async fn flooded(answers: impl Stream<Item = Result<Value, ApiError>>) -> Result<Seen, ApiError> {
    let mut answers = pin!(answers);
    loop {
        match answers.next().await {
            Some(Ok(_)) => {}
            // It is there already: what comes before storing let it through.
            Some(Err(error)) if error.status() == Some(409) => {}
            Some(Err(error)) => return Err(error),
            None => return Ok(Seen::Done),
        }
    }
}

/// Takes the objects of a list, each as far as it is wanted.
fn items(mut list: Value, read: impl Fn(Value) -> Value) -> Seen {
    match list["items"].take() {
        Value::Array(items) => Seen::Objects(items.into_iter().map(read).collect()),
        _ => Seen::Failed { why: "the server answered with no list".to_owned() },
    }
}

/// Lists roles or bindings, each as far as it matters: a list says of its items not of which kind they are.
async fn of_roles(
    kinds: [&str; 2],
    send: impl AsyncFn(Method, Target<'_>, Option<&Value>, bool) -> Result<Value, ApiError>,
) -> Result<Seen, ApiError> {
    let mut all = Vec::new();
    for kind in kinds {
        let target = Target::Kind { api_version: RBAC, kind, namespace: None };
        let listed = send(Method::Get, target, None, false).await?;
        match items(listed, |item| of_role(kind, &item)) {
            Seen::Objects(found) => all.extend(found),
            other => return Ok(other),
        }
    }
    Ok(Seen::Objects(all))
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

async fn approve(cluster: &Cluster, key: &ObjectKey) -> Result<Value, ApiError> {
    let path =
        format!("/apis/certificates.k8s.io/v1/certificatesigningrequests/{}/approval", key.name);
    let condition = json!({
        "type": "Approved", "status": "True", "reason": "Canary",
        "message": "to see whether anybody signs it",
    });
    let request = ringfort_api::Request {
        method: Method::Merge,
        target: Target::Path(&path),
        body: Some(&json!({"status": {"conditions": [condition]}})),
        dry_run: false,
        user: None,
    };
    cluster.send(&request).await
}

/// Reads the paths of a description; the rest of it is large.
fn described(text: &str) -> Seen {
    let description: Option<Value> = serde_json::from_str(text).ok();
    match description.as_ref().and_then(|all| all["paths"].as_object()) {
        Some(paths) => Seen::Lines(paths.keys().cloned().collect()),
        None => Seen::Failed { why: "the API's description names no paths".to_owned() },
    }
}

/// How a server refuses who speaks in another's name and may not.
const NOT_IN_THAT_NAME: &str = " cannot impersonate";

/// Reads a refusal. That of speaking in another's name is none of what was asked.
pub(crate) fn refusal(error: ApiError) -> Seen {
    match error {
        ApiError::Refused { status: 403, message, .. } if message.contains(NOT_IN_THAT_NAME) => {
            Seen::Failed { why: message }
        }
        ApiError::Refused { status, message, .. } => Seen::Refused { status, message },
        other => Seen::Failed { why: other.to_string() },
    }
}

async fn sweep(cluster: &Cluster, paths: &[String]) -> Result<Seen, String> {
    let one = async |path: &String| {
        let status = cluster.status(path, None).await;
        status.map(|status| (status, path.clone())).map_err(|error| format!("{path}: {error}"))
    };
    // Who does not answer on one path is not asked for hundreds.
    let answers: Vec<(u16, String)> =
        stream::iter(paths.iter().map(one)).buffered(SWEEP_WIDTH).try_collect().await?;
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (status, path) in answers {
        by_status.entry(status).or_default().push(path);
    }
    Ok(Seen::Statuses(by_status))
}

async fn audit(host: &Host, holding: &str) -> Result<Seen, String> {
    // grep's 1 says that no line holds the text, which is an answer. The log may have been renamed away since.
    let command = format!(
        "cd /var/log/kubernetes && \
         grep -hF -- {} audit.log $(ls -t audit-*.log 2>/dev/null | head -n 1) || [ $? = 1 ]",
        quote(holding)
    );
    let stdout = run(host, &command).await?;
    let text = String::from_utf8_lossy(&stdout);
    Ok(Seen::Lines(text.lines().map(|line| without_others(line, holding)).collect()))
}

#[cfg(test)]
mod tests {
    use super::{ApiError, Seen, refusal};

    #[test]
    fn who_may_not_speak_in_anothers_name_was_refused_nothing_else() {
        let said = |message: &str| {
            let (reason, message) = ("Forbidden".to_owned(), message.to_owned());
            refusal(ApiError::Refused { status: 403, reason, message })
        };
        let name = "users \"a\" is forbidden: User \"b\" cannot impersonate resource \"users\" in API group \"\"";
        assert!(matches!(said(name), Seen::Failed { .. }));
        let one = "pods is forbidden: User \"b\" cannot impersonate-on:user-info:create resource \"pods\"";
        assert!(matches!(said(one), Seen::Failed { .. }));
        let right =
            "pods is forbidden: User \"a\" cannot create resource \"pods\" in API group \"\"";
        assert!(matches!(said(right), Seen::Refused { status: 403, .. }));
    }
}
