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
    /// Of the accounts with a way the first namespace, by their names.
    spaces: BTreeMap<String, String>,
    left: Left,
}

/// How much may still be looked at; nothing where that was not enough.
pub(super) type Left = Option<usize>;

/// The next step on a way.
struct Step {
    /// What is done,
    said: &'static str,
    /// and who it makes one, if that is not the end.
    to: Option<Who>,
    /// Whether nothing has to be said of it: one role shows all of it, or all of a group have it.
    is_plain: bool,
}

/// So many powers of roles and bindings are looked at for one event: whoever writes them says how they hang together, and
/// where that was not enough it is counted.
pub(super) const MOST_LOOKED: usize = 1 << 18;
/// So many steps of a way are said.
const SAID: usize = 16;
/// Where a right is given everywhere.
const EVERYWHERE: &str = "";
/// Groups that whoever has a name is in, and all accounts.
const NAMED: &str = "system:authenticated";
const ACCOUNTS: &str = "system:serviceaccounts";

/// Takes of what may still be looked at. Says whether that was enough.
fn spend(left: &mut Left, much: usize) -> bool {
    *left = left.and_then(|left| left.checked_sub(much));
    left.is_some()
}

fn weight(powers: &BTreeSet<Power>) -> usize {
    powers.iter().map(Power::weight).sum()
}

impl<'o> Ways<'o> {
    /// Finds everybody's, as far as looking at so many powers goes.
    pub(super) fn of(objects: &'o Objects, most: usize) -> Self {
        let (given, steps, spaces) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut ways = Self { given, steps, spaces, left: Some(most) };
        let alone = ways.give(objects);
        let mut wants = ways.begin(&alone);
        let mut new: Vec<Who> = ways.steps.keys().cloned().collect();
        while !new.is_empty() {
            new = ways.go_on(&mut wants, &new);
        }
        // What a group has, each of it has.
        let of_groups = ways.steps.keys().filter(|who| ways.is_of_group(who));
        for who in of_groups.cloned().collect::<Vec<_>>() {
            ways.steps.entry(who).and_modify(|step| step.is_plain = true);
        }
        ways
    }

    /// Whether all were found.
    pub(super) fn is_whole(&self) -> bool {
        self.left.is_some()
    }

    /// Everybody who has one.
    pub(super) fn who(&self) -> BTreeSet<Who> {
        self.steps.keys().cloned().collect()
    }

    /// Those whose way goes over several objects.
    pub(super) fn told(&self) -> impl Iterator<Item = &Who> {
        self.steps.iter().filter(|(_, step)| !step.is_plain).map(|(who, _)| who)
    }

    /// Says over which objects somebody's way goes.
    pub(super) fn say(&self, who: &Who) -> String {
        let (mut said, mut at) = (who.to_string(), self.steps.get(who));
        for number in 0..SAID {
            let Some(step) = at else { return said };
            let which = if number == 0 { "" } else { ", which" };
            let to = step.to.as_ref().map(|to| format!(" {to}")).unwrap_or_default();
            said = format!("{said}{which} {}{to}", step.said);
            at = step.to.as_ref().and_then(|to| self.steps.get(to));
        }
        if at.is_some() {
            said.push_str(", and so on");
        }
        said
    }

    /// Takes note of what is given to whom. Gives those to whom one role gives every right.
    fn give(&mut self, objects: &'o Objects) -> BTreeSet<&'o Who> {
        let mut alone = BTreeSet::new();
        let mut of_roles: BTreeMap<&Key, BTreeSet<Power>> = BTreeMap::new();
        for (key, (_, object)) in objects {
            let Object::Binding { role, subjects } = object else { continue };
            if subjects.is_empty() {
                continue;
            }
            let left = &mut self.left;
            let powers = of_roles.entry(role).or_insert_with(|| powers(objects, role, left));
            if powers.is_empty() {
                continue;
            }
            if key.space == EVERYWHERE && end(powers).is_some() {
                alone.extend(subjects);
            }
            let weight = weight(powers);
            for who in subjects {
                if !spend(&mut self.left, weight) {
                    return alone;
                }
                let given = self.given.entry(who).or_default();
                given.entry(key.space.as_str()).or_default().extend(powers.iter().cloned());
            }
        }
        alone
    }

    /// What somebody may do everywhere, also by the groups that follow from the name.
    fn powers(&mut self, who: &Who) -> BTreeMap<&'o str, BTreeSet<Power>> {
        let Self { given, left, .. } = self;
        let mut all: BTreeMap<&'o str, BTreeSet<Power>> = BTreeMap::new();
        for of in std::iter::once(who.clone()).chain(groups(who)) {
            for (space, powers) in given.get(&of).into_iter().flatten() {
                if spend(left, weight(powers)) {
                    all.entry(space).or_default().extend(powers.iter().cloned());
                }
            }
        }
        let everywhere = all.get(EVERYWHERE).cloned().unwrap_or_default();
        let much = weight(&everywhere);
        let mut with = |space: &str, mut powers: BTreeSet<Power>| {
            if space != EVERYWHERE && spend(left, much) {
                powers.extend(everywhere.iter().cloned());
            }
            with_all_of(space, powers)
        };
        all.into_iter().map(|(space, powers)| (space, with(space, powers))).collect()
    }

    /// Finds those who need nobody else, and whom the others need. Others look for those who need one role alone.
    fn begin(&mut self, alone: &BTreeSet<&Who>) -> Wants<'o> {
        let (all, mut wants): (Vec<&'o Who>, _) =
            (self.given.keys().copied().collect(), Wants::default());
        for who in all {
            let powers = self.powers(who);
            match powers.get(EVERYWHERE).and_then(end) {
                Some(said) => {
                    let step = Step { said, to: None, is_plain: alone.contains(who) };
                    self.put(who.clone(), step);
                }
                None => powers.into_iter().for_each(|(space, of)| wants.add(who, space, of)),
            }
        }
        wants
    }

    /// Finds those who reach somebody who has a way now, and gives them.
    fn go_on(&mut self, wants: &mut Wants<'o>, new: &[Who]) -> Vec<Who> {
        let next: BTreeSet<&'o Who> = new.iter().flat_map(|who| wants.take(who)).collect();
        let mut found: Vec<(Who, Step)> = Vec::new();
        for who in next {
            if self.steps.contains_key(who) {
                continue;
            }
            let powers = self.powers(who);
            let step = powers.iter().find_map(|(space, powers)| self.step(space, powers));
            found.extend(step.map(|step| (who.clone(), step)));
        }
        let new = found.iter().map(|(who, _)| who.clone()).collect();
        found.into_iter().for_each(|(who, step)| self.put(who, step));
        new
    }

    fn put(&mut self, who: Who, step: Step) {
        if let Who::Account { space, name } = &who {
            let first = self.spaces.entry(name.clone()).or_insert_with(|| space.clone());
            if *space < *first {
                first.clone_from(space);
            }
        }
        self.steps.insert(who, step);
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
        let account = |space: &str, name: &str| Who::Account {
            space: space.to_owned(),
            name: name.to_owned(),
        };
        let is_known = |who: &Who| self.steps.contains_key(who);
        let found = match (space, name) {
            (EVERYWHERE, Some(name)) => self.spaces.get(name).map(|space| account(space, name)),
            (_, Some(name)) => Some(account(space, name)).filter(is_known),
            (_, None) => self.first(account(space, "")).filter(|who| match who {
                Who::Account { space: of, .. } => space == EVERYWHERE || of == space,
                _ => false,
            }),
        };
        let group = |name: &str| Who::Group(name.to_owned());
        found.or_else(|| Some(group(NAMED)).filter(is_known)).or_else(|| match space {
            EVERYWHERE => self
                .first(group(ACCOUNTS))
                .filter(|who| matches!(who, Who::Group(name) if name.starts_with(ACCOUNTS))),
            _ => {
                [group(ACCOUNTS), group(&format!("{ACCOUNTS}:{space}"))].into_iter().find(is_known)
            }
        })
    }

    /// The first who has a way, from somebody on.
    fn first(&self, from: Who) -> Option<Who> {
        self.steps.range(from..).next().map(|(who, _)| who.clone())
    }
}

/// Who has a way as soon as somebody else has one.
#[derive(Default)]
struct Wants<'o> {
    /// An account of a namespace, or of any, of a name, or of any.
    accounts: BTreeMap<&'o str, BTreeMap<Option<String>, Vec<&'o Who>>>,
    users: BTreeMap<String, Vec<&'o Who>>,
    groups: BTreeMap<String, Vec<&'o Who>>,
}

impl<'o> Wants<'o> {
    /// Adds somebody with what is given there.
    fn add(&mut self, who: &'o Who, space: &'o str, powers: BTreeSet<Power>) {
        for power in powers {
            let of = match power {
                Power::Account(_, name) => {
                    self.accounts.entry(space).or_default().entry(name).or_default()
                }
                Power::User(Some(name)) if space == EVERYWHERE => {
                    self.users.entry(name).or_default()
                }
                Power::Group(Some(name)) if space == EVERYWHERE => {
                    self.groups.entry(name).or_default()
                }
                _ => continue,
            };
            of.push(who);
        }
    }

    /// Takes out those who have a way when somebody has one: the same reaches as in `Ways::step`, looked at from their
    /// ends.
    fn take(&mut self, who: &Who) -> Vec<&'o Who> {
        let mut all: Vec<Vec<&'o Who>> = Vec::new();
        match who {
            Who::Account { space, name } => {
                for space in [EVERYWHERE, space.as_str()] {
                    let Some(of) = self.accounts.get_mut(space) else { continue };
                    all.extend(of.remove(&None::<String>));
                    all.extend(of.remove(&Some(name.clone())));
                }
            }
            Who::User(name) => all.extend(self.users.remove(name)),
            Who::Group(name) => {
                all.extend(self.groups.remove(name));
                match name.strip_prefix(ACCOUNTS) {
                    Some("") => all.extend(self.all_accounts()),
                    Some(of) => {
                        for space in [Some(EVERYWHERE), of.strip_prefix(':')].into_iter().flatten()
                        {
                            let of = self.accounts.remove(space).unwrap_or_default();
                            all.extend(of.into_values());
                        }
                    }
                    None if name == NAMED => {
                        all.extend(self.all_accounts());
                        all.extend(std::mem::take(&mut self.users).into_values());
                    }
                    None => {}
                }
                if name == NAMED || name == ACCOUNTS {
                    let is_of = |name: &str| groups(&Who::Group(name.to_owned())).contains(who);
                    let all_groups = std::mem::take(&mut self.groups).into_iter();
                    let (of, other): (BTreeMap<String, Vec<&'o Who>>, _) =
                        all_groups.partition(|(it, _)| is_of(it));
                    self.groups = other;
                    all.extend(of.into_values());
                }
            }
        }
        all.into_iter().flatten().collect()
    }

    fn all_accounts(&mut self) -> impl Iterator<Item = Vec<&'o Who>> + use<'o> {
        std::mem::take(&mut self.accounts).into_values().flat_map(BTreeMap::into_values)
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

/// What a role gives, with what it takes over from others, as far as may be looked.
pub(super) fn powers(objects: &Objects, role: &Key, left: &mut Left) -> BTreeSet<Power> {
    let mut all = BTreeSet::new();
    let (mut seen, mut next) = (BTreeSet::from([role]), vec![role]);
    while let Some(key) = next.pop() {
        let Some((_, Object::Role(Role { powers, gathers, .. }))) = objects.get(key) else {
            continue;
        };
        if !spend(left, weight(powers)) {
            break;
        }
        all.extend(powers.iter().cloned());
        if gathers.is_empty() {
            continue;
        }
        let much: usize = gathers.iter().map(|wanted| 1 + wanted.len()).sum();
        let of_cluster = objects.range(Key::role(EVERYWHERE, "")..);
        let of_cluster = of_cluster.take_while(|(it, _)| !it.is_binding && it.space == EVERYWHERE);
        for (other, (_, object)) in of_cluster {
            let Object::Role(Role { labels, .. }) = object else { continue };
            if !spend(left, much) {
                return all;
            }
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
