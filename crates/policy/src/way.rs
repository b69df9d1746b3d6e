//! One way of all pods of a node: which course each takes through tiers and NetworkPolicies.

use std::collections::BTreeMap;

use ringfort_facts::network::{Action, Direction, Policy, Tier};

use super::budget::{Beyond, Meter};
use super::compile::{Grounds, Home, ranges};
use super::index::Index;
use super::pen::Pen;
use super::rules::{Element, Kind, Line, RuleSet, Verdict};
use super::span::Family;
use super::step::{Found, Step, Use};
use super::turn::Turn;
use super::world::{PolicyName, World};

/// One way of all pods of the node.
pub(super) struct Way<'a> {
    home: &'a Home,
    grounds: &'a Grounds,
    index: &'a Index<'a>,
    direction: Direction,
    courses: Vec<Course<'a>>,
}

/// What the packets of a pod go through.
struct Course<'a> {
    pod: usize,
    /// Rules of the Admin tier.
    admin: Vec<Turn<'a>>,
    /// Rules of the Baseline tier: none where a NetworkPolicy selects the pod.
    baseline: Vec<Turn<'a>>,
    /// What closes the way behind them; without any it is open.
    closing: Vec<(PolicyName, &'a Policy)>,
}

/// Where NetworkPolicies are judged.
const CLOSED: &str = "closed";
/// Where connections end that a tier denies.
const DENIED: &str = "denied";
/// Where it is asked whether anybody knows the other end.
const STRANGERS: &str = "strangers";

impl<'a> Course<'a> {
    fn turns(&self, tier: Tier) -> &[Turn<'a>] {
        match tier {
            Tier::Admin => &self.admin,
            Tier::Baseline => &self.baseline,
        }
    }

    fn has_tiers(&self) -> bool {
        !self.admin.is_empty() || !self.baseline.is_empty()
    }

    /// Where packets go next, of these tiers and what is behind them; nowhere if the way is open.
    fn next(&self, tiers: &[Tier]) -> Option<&'static str> {
        let next = tiers.iter().find(|tier| !self.turns(**tier).is_empty());
        next.map(|tier| tier.word()).or_else(|| (!self.closing.is_empty()).then_some(CLOSED))
    }
}

impl<'a> Way<'a> {
    pub(super) fn new(
        world: &'a World,
        home: &'a Home,
        grounds: &'a Grounds,
        index: &'a Index<'a>,
        direction: Direction,
    ) -> Self {
        let course = |pod| {
            let (place, object) = index.pod(pod);
            let closing = world.closing(place, object, direction);
            let turns = world.turns((place, object), direction).into_iter();
            let (admin, baseline) = turns.partition(|turn| turn.policy.tier == Tier::Admin);
            Course { pod, admin, baseline, closing }
        };
        let courses = index.on(&home.node).into_iter().map(course).collect();
        Self { home, grounds, index, direction, courses }
    }

    pub(super) fn write(&self, rules: &mut RuleSet, meter: &mut Meter) -> Result<(), Beyond> {
        let (admin, baseline) = (self.steps(Tier::Admin), self.steps(Tier::Baseline));
        let mut tiers = Vec::new();
        for (tier, steps) in [(Tier::Admin, &admin), (Tier::Baseline, &baseline)] {
            let found = steps.iter().map(|step| step.find(meter)).collect::<Result<Vec<_>, _>>()?;
            tiers.push((tier, found));
        }
        let closed = self.closed();
        let closed = closed.find(meter)?;
        for family in Family::BOTH {
            if ranges(&self.home.ranges, family).is_empty() {
                continue;
            }
            let mut pen = Pen { rules, direction: self.direction, family };
            self.verdicts("pods", &[Tier::Admin, Tier::Baseline], |_| true, &mut pen);
            for (tier, steps) in &tiers {
                self.tier(*tier, steps, &mut pen, meter)?;
            }
            self.ends(&mut pen);
            self.last(&closed, &mut pen, meter)?;
        }
        Ok(())
    }

    /// Writes the map that says where pods' packets go next.
    fn verdicts(
        &self,
        map: &str,
        tiers: &[Tier],
        is_in: impl Fn(&Course<'a>) -> bool,
        pen: &mut Pen<'_>,
    ) {
        let map = pen.name(map);
        for course in self.courses.iter().filter(|it| is_in(it)) {
            let next = course.next(tiers).map(|chain| Verdict::Goto(pen.name(chain)));
            for address in self.index.of_family(course.pod, pen.family) {
                let verdict = next.clone().unwrap_or(Verdict::Accept);
                pen.element(&map, Kind::OwnVerdicts, Element::of(address), Some(verdict));
            }
        }
    }

    /// Puts rules of a tier that do the same and follow each other together.
    fn steps(&self, tier: Tier) -> Vec<Step<'a>> {
        let mut turns: BTreeMap<_, (Turn<'a>, Vec<usize>)> = BTreeMap::new();
        for course in &self.courses {
            for turn in course.turns(tier) {
                let key = (turn.policy.priority, turn.name, turn.at);
                turns.entry(key).or_insert_with(|| (*turn, Vec::new())).1.push(course.pod);
            }
        }
        let mut steps: Vec<(Action, Step<'a>)> = Vec::new();
        for (turn, pods) in turns.into_values() {
            let Some((action, rule)) = turn.rule.in_force() else { continue };
            let key = (PolicyName::Wider(turn.name.clone()), turn.at);
            let used = Use { key, namespace: None, rule, pods };
            match steps.last_mut() {
                Some((of, step)) if *of == action => step.uses.push(used),
                _ => {
                    let stem = format!("{}{}_", tier.word(), steps.len());
                    let then = match action {
                        Action::Accept => None,
                        Action::Deny => Some(DENIED.to_owned()),
                        Action::Pass => Some(passed(tier)),
                    };
                    steps.push((action, self.step(stem, then, vec![used])));
                }
            }
        }
        steps.into_iter().map(|(_, step)| step).collect()
    }

    fn step(&self, stem: String, then: Option<String>, uses: Vec<Use<'a>>) -> Step<'a> {
        let (index, direction, pods) = (self.index, self.direction, &self.grounds.pods);
        Step { index, direction, pods, stem, then, uses }
    }

    /// Writes a tier: its steps in order, and behind them what comes after it.
    fn tier(
        &self,
        tier: Tier,
        steps: &[Found<'_, 'a>],
        pen: &mut Pen<'_>,
        meter: &mut Meter,
    ) -> Result<(), Beyond> {
        let after: &[Tier] = match tier {
            Tier::Admin => &[Tier::Baseline],
            Tier::Baseline => &[],
        };
        let next = format!("{}_next", tier.word());
        self.verdicts(&next, after, |course| !course.turns(tier).is_empty(), pen);
        let next = pen.name(&next);
        if !pen.has(&next) {
            return Ok(());
        }
        let behind = vec![Line::Ask(next), pen.refuse()];
        let mut lines = self.unsure(tier, steps, pen);
        for step in steps {
            lines.extend(step.write(pen, meter)?);
        }
        lines.extend(behind.clone());
        pen.chain(pen.name(tier.word()), lines);
        let passed = pen.name(&passed(tier));
        if pen.leads_to(&passed) {
            pen.chain(passed, behind);
        }
        Ok(())
    }

    /// Writes whose packets are stopped if nobody knows their other end: those of pods that a rule keeps
    /// from other pods by what these are. Of one that is not heard of yet it is not known what it is.
    fn unsure(&self, tier: Tier, steps: &[Found<'_, 'a>], pen: &mut Pen<'_>) -> Vec<Line> {
        if ranges(&self.home.all, pen.family).is_empty() {
            return Vec::new();
        }
        let set = pen.name(&format!("{}_unsure", tier.word()));
        for step in steps.iter().map(|it| it.step).filter(|step| step.then.is_some()) {
            for each in step.uses.iter().filter(|each| step.depends_on_pods(each.rule)) {
                for pod in &each.pods {
                    for address in self.index.of_family(*pod, pen.family) {
                        pen.element(&set, Kind::Own, Element::of(address), None);
                    }
                }
            }
        }
        match pen.has(&set) {
            true => vec![Line::Found(set, None, Verdict::Jump(pen.name(STRANGERS)))],
            false => Vec::new(),
        }
    }

    /// Writes who is known of the cluster's pods, and where what is denied ends.
    fn ends(&self, pen: &mut Pen<'_>) {
        let (strangers, denied) = (pen.name(STRANGERS), pen.name(DENIED));
        if pen.leads_to(&strangers) {
            let (known, cluster) = (pen.name("known"), pen.name("cluster"));
            let machines = self.grounds.machines.get(&pen.family).into_iter().flatten();
            let machines = machines.flat_map(|it| it.first..=it.last);
            let machines = machines.map(|number| pen.family.address(number));
            let pods = self.index.known().filter(|it| Family::of(*it) == pen.family);
            for address in machines.chain(pods).collect::<Vec<_>>() {
                pen.element(&known, Kind::Peer, Element::of(address), None);
            }
            for span in ranges(&self.home.all, pen.family) {
                let (first, last) = (pen.family.address(span.first), pen.family.address(span.last));
                pen.element(&cluster, Kind::PeerRanges, Element::range(first, last), None);
            }
            let known = Line::Found(known, None, Verdict::Return);
            let unknown = Line::Found(cluster, None, Verdict::Goto(denied.clone()));
            pen.chain(strangers, vec![known, unknown]);
        }
        if pen.leads_to(&denied) {
            let refuse = pen.refuse();
            pen.chain(denied, vec![refuse]);
        }
    }

    /// Gives the rules of what closes ways behind the tiers.
    fn closed(&self) -> Step<'a> {
        let mut uses: BTreeMap<(PolicyName, usize), Use<'a>> = BTreeMap::new();
        for course in &self.courses {
            for (name, policy) in &course.closing {
                let own = self.index.pod(course.pod).0.namespace.as_str();
                let namespace = (*name != PolicyName::Default).then_some(own);
                for (number, rule) in policy.rules(self.direction).into_iter().flatten().enumerate()
                {
                    let key = (name.clone(), number);
                    let used = uses.entry(key.clone()).or_insert_with(|| Use {
                        key,
                        namespace,
                        rule,
                        pods: Vec::new(),
                    });
                    used.pods.push(course.pod);
                }
            }
        }
        self.step(String::new(), None, uses.into_values().collect())
    }

    /// Writes what is judged last: NetworkPolicies, or what holds without one.
    fn last(
        &self,
        closed: &Found<'_, 'a>,
        pen: &mut Pen<'_>,
        meter: &mut Meter,
    ) -> Result<(), Beyond> {
        let (itself, refused) = (pen.name("itself"), pen.name("refused"));
        for course in &self.courses {
            for address in self.index.of_family(course.pod, pen.family) {
                if !course.closing.is_empty() {
                    pen.element(&itself, Kind::Itself, Element::of(address), None);
                }
                if !course.closing.is_empty() || course.has_tiers() {
                    pen.element(&refused, Kind::Refused, Element::of(address), None);
                }
            }
        }
        if !pen.has(&itself) {
            return Ok(());
        }
        let mut lines = vec![Line::Found(itself, None, Verdict::Accept)];
        lines.extend(closed.write(pen, meter)?);
        lines.push(pen.refuse());
        pen.chain(pen.name(CLOSED), lines);
        Ok(())
    }
}

/// The chain of what a tier passes on.
fn passed(tier: Tier) -> String {
    format!("{}_passed", tier.word())
}
