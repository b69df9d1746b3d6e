//! Who has a way to every right, and over what.

use std::collections::{BTreeMap, BTreeSet};

use super::power::{ALL, Means, Power};
use super::{Key, Object, Role, Who};

type Objects = BTreeMap<Key, (Option<u64>, Object)>;

/// Who has a way to every right.
pub(super) struct Ways<'o> {
    /// What is given to whom, everywhere or in a namespace.
    given: BTreeMap<&'o Who, BTreeMap<&'o str, BTreeSet<Power>>>,
    steps: BTreeMap<Who, Step>,
}

/// The next step on a way.
struct Step {
    /// What is done,
    said: &'static str,
    /// and who it makes one, if that is not the end.
    to: Option<Who>,
    /// Whether nothing has to be said of it: one role shows all of it, or all of a group have it.
    is_plain: bool,
}

/// Where a right is given everywhere.
const EVERYWHERE: &str = "";
/// Groups that whoever has a name is in, and all accounts.
const NAMED: &str = "system:authenticated";
const ACCOUNTS: &str = "system:serviceaccounts";

impl<'o> Ways<'o> {
    /// Finds everybody's.
    pub(super) fn of(objects: &'o Objects) -> Self {
        let mut ways = Self { given: BTreeMap::new(), steps: BTreeMap::new() };
        let mut alone: BTreeSet<&Who> = BTreeSet::new();
        let mut of_roles: BTreeMap<&Key, BTreeSet<Power>> = BTreeMap::new();
        for (key, (_, object)) in objects {
            let Object::Binding { role, subjects } = object else { continue };
            let powers = of_roles.entry(role).or_insert_with(|| powers(objects, role));
            if key.space == EVERYWHERE && end(powers).is_some() {
                alone.extend(subjects);
            }
            for who in subjects.iter().filter(|_| !powers.is_empty()) {
                let given = ways.given.entry(who).or_default();
                given.entry(key.space.as_str()).or_default().extend(powers.iter().cloned());
            }
        }
        ways.begin(&alone);
        while ways.go_on() {}
        // What a group has, each of it has.
        let of_groups = ways.steps.keys().filter(|who| ways.is_of_group(who));
        for who in of_groups.cloned().collect::<Vec<_>>() {
            ways.steps.entry(who).and_modify(|step| step.is_plain = true);
        }
        ways
    }

    /// Everybody who has one.
    pub(super) fn who(&self) -> BTreeSet<Who> {
        self.steps.keys().cloned().collect()
    }

    /// Those whose way goes over several objects, and over which.
    pub(super) fn told(&self) -> impl Iterator<Item = (&Who, String)> {
        self.steps.iter().filter(|(_, step)| !step.is_plain).map(|(who, step)| {
            let (mut said, mut at) = (format!("{who} {}", step.said), step.to.as_ref());
            while let Some(who) = at {
                let Some(step) = self.steps.get(who) else { break };
                said = format!("{said} {who}, which {}", step.said);
                at = step.to.as_ref();
            }
            (who, said)
        })
    }

    /// What somebody may do everywhere, also by the groups that follow from the name.
    fn powers(&self, who: &Who) -> BTreeMap<&'o str, BTreeSet<Power>> {
        let mut all = self.given.get(who).cloned().unwrap_or_default();
        for group in groups(who) {
            for (space, powers) in self.given.get(&group).into_iter().flatten() {
                all.entry(space).or_default().extend(powers.iter().cloned());
            }
        }
        let everywhere = all.get(EVERYWHERE).cloned().unwrap_or_default();
        let with = |powers: BTreeSet<Power>| powers.into_iter().chain(everywhere.iter().cloned());
        all.into_iter()
            .map(|(space, powers)| (space, with_all_of(space, with(powers).collect())))
            .collect()
    }

    /// Finds those who need nobody else. Others look for those who need one role alone.
    fn begin(&mut self, alone: &BTreeSet<&Who>) {
        let everywhere = |who| self.powers(who).remove(EVERYWHERE).unwrap_or_default();
        let all = self.given.keys().filter_map(|who| Some((*who, end(&everywhere(who))?)));
        let steps = all.map(|(who, said)| {
            (who.clone(), Step { said, to: None, is_plain: alone.contains(who) })
        });
        self.steps = steps.collect();
    }

    /// Finds those who reach somebody who has a way. Says whether there were any.
    fn go_on(&mut self) -> bool {
        let mut found = Vec::new();
        for who in self.given.keys().filter(|who| !self.steps.contains_key(**who)) {
            let steps =
                self.powers(who).into_iter().find_map(|(space, powers)| self.step(space, &powers));
            found.extend(steps.map(|step| ((*who).clone(), step)));
        }
        let is_any = !found.is_empty();
        self.steps.extend(found);
        is_any
    }

    fn step(&self, space: &str, powers: &BTreeSet<Power>) -> Option<Step> {
        powers.iter().find_map(|power| {
            let (said, to) = match power {
                Power::Account(means, name) => {
                    (means.said(), self.account(space, name.as_deref())?)
                }
                // They are of no namespace, and nobody is given them within one.
                _ if space != EVERYWHERE => return None,
                Power::User(Some(name)) => ("acts as", self.known(Who::User(name.clone()))?),
                Power::Group(Some(name)) => ("acts as", self.known(Who::Group(name.clone()))?),
                _ => return None,
            };
            Some(Step { said, to: Some(to), is_plain: false })
        })
    }

    fn known(&self, who: Who) -> Option<Who> {
        (self.steps.contains_key(&who) || self.is_of_group(&who)).then_some(who)
    }

    fn is_of_group(&self, who: &Who) -> bool {
        groups(who).iter().any(|group| self.steps.contains_key(group))
    }

    /// Finds an account of a namespace that has a way, or that is in a group that has.
    fn account(&self, space: &str, name: Option<&str>) -> Option<Who> {
        self.steps
            .keys()
            .find(|who| match who {
                Who::Account { space: of, name: called } => {
                    (space == EVERYWHERE || of == space) && name.is_none_or(|name| name == called)
                }
                Who::Group(group) => match group.strip_prefix(ACCOUNTS) {
                    Some("") => true,
                    Some(of) => space == EVERYWHERE || of.strip_prefix(':') == Some(space),
                    None => group == NAMED,
                },
                Who::User(_) => false,
            })
            .cloned()
    }
}

/// Says how such rights are every right.
fn end(powers: &BTreeSet<Power>) -> Option<&'static str> {
    let has = |power: Power| powers.contains(&power);
    let binds = |role: &Option<String>| match role {
        None => true,
        Some(name) => name == ALL,
    };
    let acts = powers
        .iter()
        .any(|it| matches!(it, Power::User(_) | Power::Account(Means::Impersonate, _)));
    let masters = has(Power::Group(None)) || has(Power::Group(Some("system:masters".to_owned())));
    let signs = [Power::RequestCertificates, Power::ApproveCertificates, Power::Sign];
    if has(Power::Everything) {
        Some("holds every right")
    } else if has(Power::WriteClusterBindings)
        && powers.iter().any(|it| matches!(it, Power::Bind(role) if binds(role)))
    {
        Some("binds any role")
    } else if has(Power::EscalateCluster) && has(Power::WriteClusterRoles) {
        Some("writes any right into a role")
    } else if has(Power::User(None)) || (masters && acts) {
        Some("acts as anybody")
    } else if signs.into_iter().all(has) {
        Some("makes certificates of anybody")
    } else {
        None
    }
}

impl Means {
    fn said(self) -> &'static str {
        match self {
            Self::RunPods => "runs pods as",
            Self::EnterPods => "enters pods of",
            Self::AskTokens => "takes a token of",
            Self::MakeSecrets => "makes a Secret with a token of",
            Self::Impersonate => "acts as",
        }
    }
}

/// The groups that somebody is in by the name.
fn groups(who: &Who) -> Vec<Who> {
    let group = |name: &str| Who::Group(name.to_owned());
    match who {
        Who::User(_) => vec![group(NAMED)],
        Who::Account { space, .. } => {
            vec![group(NAMED), group(ACCOUNTS), group(&format!("{ACCOUNTS}:{space}"))]
        }
        Who::Group(name) if name == NAMED || name.ends_with(":unauthenticated") => Vec::new(),
        Who::Group(name) if name.starts_with(ACCOUNTS) && name != ACCOUNTS => {
            vec![group(NAMED), group(ACCOUNTS)]
        }
        Who::Group(_) => vec![group(NAMED)],
    }
}

/// Adds what rights are worth together.
fn with_all_of(space: &str, mut powers: BTreeSet<Power>) -> BTreeSet<Power> {
    let binds = powers.contains(&Power::WriteBindings)
        && powers.iter().any(|it| {
            matches!(it, Power::Bind(None)) || matches!(it, Power::Bind(Some(name)) if name == ALL)
        });
    let escalates = powers.contains(&Power::Escalate) && powers.contains(&Power::WriteRoles);
    if space == EVERYWHERE && powers.contains(&Power::AskKubelets) {
        powers.insert(Power::Account(Means::EnterPods, None));
    }
    if powers.contains(&Power::CreateSecrets) && powers.contains(&Power::ReadSecrets) {
        powers.insert(Power::Account(Means::MakeSecrets, None));
    }
    if powers.contains(&Power::Everything) || binds || escalates {
        powers.insert(Power::Account(Means::RunPods, None));
    }
    powers
}

/// What a role gives, with what it takes over from others.
pub(super) fn powers(objects: &Objects, role: &Key) -> BTreeSet<Power> {
    let mut all = BTreeSet::new();
    let (mut seen, mut next) = (BTreeSet::from([role]), vec![role]);
    while let Some(key) = next.pop() {
        let Some((_, Object::Role(Role { powers, gathers, .. }))) = objects.get(key) else {
            continue;
        };
        all.extend(powers.iter().cloned());
        if gathers.is_empty() {
            continue;
        }
        let of_cluster = objects.range(Key::role(EVERYWHERE, "")..);
        let of_cluster = of_cluster.take_while(|(it, _)| !it.is_binding && it.space == EVERYWHERE);
        for (other, (_, object)) in of_cluster {
            let Object::Role(Role { labels, .. }) = object else { continue };
            let is = |wanted: &BTreeMap<String, String>| {
                wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
            };
            if gathers.iter().any(is) && seen.insert(other) {
                next.push(other);
            }
        }
    }
    all
}
