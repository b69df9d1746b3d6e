//! Rows that the audit log decides: who signed in by what, and whose tokens were used.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ringfort_facts::component::Component;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::fact::Seen;
use ringfort_facts::machine::Machine;
use ringfort_model::audit_summary::{AuditSummary, Caller, Credential};
use ringfort_model::judgement::{Gap, Judgement};

use super::audit_policy::{EVERYBODY, Who};
use super::intent::{Intent, KEEPER, PEOPLE};
use super::rows::audit_policy;
use super::{Looked, say};

const ACCOUNT: &str = "system:serviceaccount:";
const ACCOUNTS: &str = "system:serviceaccounts";
const BOOTSTRAP: &str = "system:bootstrap:";
const BOOTSTRAPPERS: &str = "system:bootstrappers";
const MASTERS: &str = "system:masters";
/// How many callers are named before the rest is counted.
const NAMED: usize = 4;

/// What is asked of each caller.
type Asks = fn(&Caller, &Looked<'_>) -> Answer;

/// What may be said of a caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Fine,
    /// It is one of those whom the row wants none of.
    Wrong,
    /// It is one of those, and is what people on clusters of ringfort's profile work as.
    Profile,
    /// The log does not say what would decide it.
    Unsaid,
}

/// Whom a rule of an audit policy names.
#[derive(Clone, Copy, Debug)]
enum Named<'a> {
    User(&'a str),
    Group(&'a str),
}

/// Whether what the profile itself does counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Counting {
    Everybody,
    AllButTheProfile,
}

/// A row about callers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callers {
    asks: Asks,
    /// Somebody who would be one of those, as a user and by groups, and whom no policy names.
    stranger: (&'static str, &'static [&'static str]),
    /// Whether a user, or one of a group, may be one of those.
    may_be: fn(Named<'_>) -> bool,
    /// What is said where there are none, and before those that there are.
    none: &'static str,
    some: &'static str,
    fix: &'static str,
}

/// People sign in by client certificates.
pub(super) const BY_CERTIFICATE: Callers = Callers {
    asks: |caller, _| {
        let user = caller.user.as_str();
        match caller.credential {
            _ if is_nobody(user) || is_part(user) => Answer::Fine,
            Credential::Token => Answer::Fine,
            // Where certificates are written down, these came by their tokens.
            Credential::Unsaid if user.starts_with(ACCOUNT) || user.starts_with(BOOTSTRAP) => {
                Answer::Fine
            }
            Credential::Unsaid => Answer::Unsaid,
            Credential::Certificate if PEOPLE.contains(&user) => Answer::Profile,
            Credential::Certificate => Answer::Wrong,
        }
    },
    stranger: ("", &[EVERYBODY]),
    may_be: |named| match named {
        Named::User(user) => !is_nobody(user) && !is_part(user) && !user.starts_with(ACCOUNT),
        Named::Group(group) => group == MASTERS || !group.starts_with("system:"),
    },
    none: "nobody but parts of the cluster signed in by a client certificate",
    some: "people signed in by client certificates",
    fix: "have people sign in by structured authentication, whose tokens end soon",
};

/// People use tokens of service accounts.
pub(super) const BY_ACCOUNT: Callers = Callers {
    asks: |caller, looked| {
        let Some(account) = caller.user.strip_prefix(ACCOUNT) else { return Answer::Fine };
        let is_controller = account.starts_with("kube-system:")
            && matches!(
                caller.agent.as_str(),
                "kube-controller-manager" | "cloud-controller-manager"
            );
        let is_tried = looked.intent.is_some() && Intent::is_tried(&caller.user);
        match caller.pod.is_some() || is_controller || is_tried {
            true => Answer::Fine,
            false => Answer::Wrong,
        }
    },
    stranger: ("system:serviceaccount:stranger:stranger", &[ACCOUNTS, EVERYBODY]),
    may_be: |named| match named {
        Named::User(user) => user.starts_with(ACCOUNT),
        Named::Group(group) => group.starts_with(ACCOUNTS),
    },
    none: "every token of a service account that was used was made for a pod or a controller",
    some: "tokens of service accounts that belong to no pod were used",
    fix: "have people sign in as themselves, and programs outside by tokens that end soon",
};

/// Somebody uses a bootstrap token.
pub(super) const BY_BOOTSTRAP: Callers = Callers {
    asks: |caller, _| match caller.user.starts_with(BOOTSTRAP) {
        true => Answer::Wrong,
        false => Answer::Fine,
    },
    stranger: ("system:bootstrap:stranger", &[BOOTSTRAPPERS, EVERYBODY]),
    may_be: |named| match named {
        Named::User(user) => user.starts_with(BOOTSTRAP),
        Named::Group(group) => group.starts_with(BOOTSTRAPPERS),
    },
    none: "no bootstrap token was used",
    some: "bootstrap tokens were used",
    fix: "--enable-bootstrap-token-auth=false, once machines have joined",
};

/// Somebody acts with the group to which nothing is refused. API servers themselves do, towards themselves.
pub(super) const AS_MASTER: Callers = Callers {
    asks: |caller, _| match caller.user.as_str() {
        _ if !caller.masters => Answer::Fine,
        "system:apiserver" if caller.local => Answer::Fine,
        KEEPER => Answer::Profile,
        _ => Answer::Wrong,
    },
    stranger: ("", &[MASTERS, EVERYBODY]),
    may_be: |named| match named {
        Named::User(user) => !is_nobody(user) && !is_part(user) && !user.starts_with(ACCOUNT),
        Named::Group(group) => !group.starts_with("system:"),
    },
    none: "nobody acted as one of system:masters",
    some: "requests were made as one of system:masters",
    fix: "give people roles, and keep what is in system:masters locked away",
};

/// Nobody was taken for anybody.
fn is_nobody(user: &str) -> bool {
    user.is_empty() || user == "system:anonymous"
}

/// Users that parts of a cluster sign in as by certificates, whoever made it. Others of the system's names are people.
const PARTS: [&str; 8] = [
    "system:apiserver",
    "system:cloud-controller-manager",
    "system:k3s-controller",
    "system:konnectivity-server",
    "system:kube-controller-manager",
    "system:kube-proxy",
    "system:kube-scheduler",
    "system:rke2-controller",
];

fn is_part(user: &str) -> bool {
    PARTS.contains(&user) || user.starts_with("system:node:") || Intent::is_part(user)
}

/// Asks of every log that no caller is one of those.
pub(super) fn judge(callers: Callers, looked: &Looked<'_>, counting: Counting) -> Judgement {
    let of_machine = |machine: &Machine<'_>| {
        let servers = machine.running(Component::ApiServer)?;
        if servers.is_empty() {
            return say::not_here(machine, Component::ApiServer);
        }
        let judgement = of_log(callers, &log(machine)?, looked, counting);
        // Who is in no log may be one of whom nothing is written.
        say::unless(judgement, servers.iter().try_for_each(|server| writes(callers, server)))
    };
    match looked.machines.is_empty() {
        true => say::unknown(
            "the audit log was not read",
            "facts of every control plane, by `ringfort gather`",
        ),
        // Who is in no log that was read may be in another.
        false => {
            say::unless(say::all(looked.machines.iter().map(of_machine)), looked.every_server())
        }
    }
}

fn log(machine: &Machine<'_>) -> Result<Seen<AuditSummary>, Gap> {
    machine.audit()?.ok_or_else(|| Gap {
        said: "the API server writes no audit log".to_owned(),
        closes: "an audit log: --audit-log-path and --audit-policy-file".to_owned(),
    })
}

/// Says that an API server would write down what one of those does that matters.
fn writes(
    Callers { stranger: (user, groups), may_be, .. }: Callers,
    server: &Settings,
) -> Result<(), Gap> {
    let Some((path, policy)) = audit_policy(server)? else {
        return say::unknown("--audit-policy-file is not set", "set --audit-policy-file");
    };
    let who = |user: &str, more: Option<&str>| Who {
        user: user.to_owned(),
        groups: groups
            .iter()
            .map(|group| (*group).to_owned())
            .chain(own_group(user))
            .chain(more.map(str::to_owned))
            .collect(),
    };
    let mut all = vec![who(user, None)];
    for (users, of_groups) in policy.named() {
        let of_groups = of_groups.iter().map(String::as_str);
        let of_groups: Vec<&str> = of_groups.filter(|group| may_be(Named::Group(group))).collect();
        let anybody = users.is_empty().then_some(user);
        let users = users.iter().map(String::as_str).filter(|user| may_be(Named::User(user)));
        // A rule that names both is for its users where they are of one of its groups.
        for user in users.chain(anybody) {
            all.push(who(user, None));
            all.extend(of_groups.iter().copied().map(|group| who(user, Some(group))));
        }
    }
    for who in all {
        if let Some(request) = policy.hides(&who) {
            let name = match who.user.as_str() {
                "" => format!("somebody of {}", who.groups.join(", ")),
                user => user.to_owned(),
            };
            return say::unknown(
                format!(
                    "{path} has nothing written down of {request} by {name}, who may be one of those"
                ),
                "an audit policy that leaves out nobody, or what parts of the cluster do alone",
            );
        }
    }
    Ok(())
}

/// The group of all accounts of an account's namespace.
fn own_group(user: &str) -> Option<String> {
    let (namespace, _) = user.strip_prefix(ACCOUNT)?.split_once(':')?;
    Some(format!("{ACCOUNTS}:{namespace}"))
}

fn of_log(
    Callers { asks, none, some, fix, .. }: Callers,
    log: &Seen<AuditSummary>,
    looked: &Looked<'_>,
    counting: Counting,
) -> Judgement {
    let AuditSummary { from, until, events, unread, callers, .. } = &log.value;
    let mut found: Vec<String> = Vec::new();
    let mut unsaid = None;
    for caller in callers {
        let counts = match asks(caller, looked) {
            Answer::Fine => false,
            Answer::Wrong => true,
            // Without a spec nobody knows that these are ringfort's.
            Answer::Profile => counting == Counting::Everybody || looked.intent.is_none(),
            Answer::Unsaid => {
                unsaid = Some(&caller.user);
                false
            }
        };
        if counts && !found.contains(&caller.user) {
            found.push(caller.user.clone());
        }
    }
    let span = format!("{events} events from {from} until {until}");
    if !found.is_empty() {
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
        let said = format!("{some}: {}{rest}, in {span}", found.join(", "));
        return say::decide(log, false, &said, fix);
    }
    if let Some(user) = unsaid {
        return say::unknown(
            format!("the audit log does not say by what {user} signed in"),
            "Kubernetes 1.32 or newer, which writes it down",
        );
    }
    whole(*unread)?;
    is_long_enough(&log.value)?;
    say::decide(log, true, &format!("{none}, in {span}"), fix)
}

/// Says that a part of a log is long enough to show who uses a cluster. In ten minutes whatever runs has asked: leases
/// are renewed every few seconds, nodes tell of themselves every five minutes at least. A shorter part, as just after
/// a rotation, may show nobody, whoever works with the cluster.
fn is_long_enough(log: &AuditSummary) -> Result<(), Gap> {
    match (second(&log.from), second(&log.until)) {
        (Some(from), Some(until)) if until - from >= SETTLED_SECONDS => Ok(()),
        _ => Err(Gap {
            said: format!(
                "the part of the audit log that was read is from {} until {}, and less than {} minutes say nothing of \
                 who uses the cluster",
                log.from,
                log.until,
                SETTLED_SECONDS / 60
            ),
            closes: "facts that are taken later after the log was begun".to_owned(),
        }),
    }
}

fn second(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

fn whole(unread: u64) -> Result<(), Gap> {
    match unread {
        0 => Ok(()),
        _ => Err(Gap {
            said: format!("{unread} lines of the audit log cannot be read"),
            closes: "an audit log whose lines are whole".to_owned(),
        }),
    }
}

/// So long after its start a pod that uses its token has used it.
const SETTLED_SECONDS: i64 = 600;

/// Asks that every pod that has a token for the API uses it.
pub(super) fn tokens_are_used(looked: &Looked<'_>) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    let mut logs = Vec::new();
    for machine in looked.machines {
        if !machine.running(Component::ApiServer)?.is_empty() {
            logs.push(log(machine)?);
        }
    }
    let Some(first) = logs.first() else {
        return say::unknown(
            "the audit log was not read",
            "facts of every control plane, by `ringfort gather`",
        );
    };
    looked.every_machine()?;
    let used: BTreeSet<(&str, &str)> =
        logs.iter().flat_map(|log| &log.value.callers).filter_map(used_by).collect();
    let (mut idle, mut unseen) = (Vec::new(), None);
    for pod in &tally.census.with_token {
        if used.contains(&(pod.namespace.as_str(), pod.name.as_str())) {
            continue;
        }
        let name = format!("{}/{}", pod.namespace, pod.name);
        match logs.iter().all(|log| has_seen_whole_life(&log.value, &pod.since)) {
            true => idle.push(name),
            false => unseen = Some(name),
        }
    }
    if !idle.is_empty() {
        let said = format!("pods have tokens that they never used: {}", idle.join(", "));
        return say::decide(first, false, &said, "automountServiceAccountToken: false");
    }
    if let Some(name) = unseen {
        return say::unknown(
            format!(
                "whether {name} ever used its token is not in the part of the log that was read"
            ),
            "facts that are taken later, or a log that goes back to the pod's start",
        );
    }
    logs.iter().try_for_each(|log| whole(log.value.unread))?;
    let said = format!("{} pods have a token, and each used it", tally.census.with_token.len());
    say::decide(first, true, &said, "")
}

fn used_by(caller: &Caller) -> Option<(&str, &str)> {
    let (namespace, _) = caller.user.strip_prefix(ACCOUNT)?.split_once(':')?;
    Some((namespace, caller.pod.as_deref()?))
}

fn has_seen_whole_life(log: &AuditSummary, since: &str) -> bool {
    match (second(&log.from), second(&log.until), second(since)) {
        (Some(from), Some(until), Some(since)) => from <= since && until - since >= SETTLED_SECONDS,
        _ => false,
    }
}
