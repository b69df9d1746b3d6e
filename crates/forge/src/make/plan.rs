//! Says what making a cluster would change: the passes and partings of [`super::make`], each to look
//! only. What cannot be looked at is told too, since nobody knows whether it would change.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::mpsc::Receiver;

use ringfort_engine::{
    Effect, Goal, Input, Mission, ObjectAct, ObjectSeen, Operator, Planned, Remark, Report,
};
use ringfort_model::blueprint::Blueprint;
use ringfort_model::etcd::EtcdAct;
use ringfort_model::event::Event;
use ringfort_model::name::NodeName;
use ringfort_model::seen::{ItemSeen, Seen};
use ringfort_model::step::Act;

use super::leave::{BY, MACHINE, Parting};
use super::{MakeError, Work, marked};
use crate::render;

/// Tells what [`super::make`] would change.
///
/// # Errors
/// See [`MakeError`].
pub async fn plan(
    work: &mut Work<'_>,
    tell: &mut dyn FnMut(Event),
    interrupts: &mut Receiver<()>,
) -> Result<(), MakeError> {
    work.assign()?;
    let keys = marked(render::keys(work.spec, &work.memory.trust), work.spec);
    let membership = work.pass(Goal::Foresee, &keys, tell, interrupts).await?;
    work.note_keys(&keys, &membership).await?;
    let blueprint = work.render()?;
    let report = work.pass(Goal::Plan, &blueprint, tell, interrupts).await?;
    let seconds = work.seconds();
    tell_changes(&membership, &report, seconds, tell);
    for remark in membership.unseen.iter().chain(&report.unseen) {
        tell(unseen(remark, seconds));
    }
    let mut unreachable: BTreeMap<&NodeName, &String> = membership.unreachable.iter().collect();
    unreachable.extend(&report.unreachable);
    for (node, why) in unreachable {
        tell(unseen_machine(node, why, seconds));
    }
    work.plan_leave(tell, interrupts).await?;
    work.plan_objects(&blueprint, tell).await
}

/// Tells what [`super::make`] would do on machines that hold nothing yet. Nobody is asked.
///
/// # Errors
/// See [`MakeError`].
pub fn plan_afresh(work: &mut Work<'_>, tell: &mut dyn FnMut(Event)) -> Result<(), MakeError> {
    work.assign()?;
    let keys = marked(render::keys(work.spec, &work.memory.trust), work.spec);
    let membership = work.pass_afresh(Goal::Foresee, &keys)?;
    let blueprint = work.render()?;
    let report = work.pass_afresh(Goal::Plan, &blueprint)?;
    tell_changes(&membership, &report, work.seconds(), tell);
    Ok(())
}

fn tell_changes(membership: &Report, report: &Report, seconds: f64, tell: &mut dyn FnMut(Event)) {
    // Who joins does so before its machine is made, and gets its vote afterwards.
    let before = membership.changes.iter().position(is_promotion);
    let (joins, later) = membership.changes.split_at(before.unwrap_or(membership.changes.len()));
    for planned in joins.iter().chain(&report.changes).chain(later) {
        tell(step(planned, seconds));
    }
}

impl Work<'_> {
    /// Runs one engine that only looks to its end, answering for machines that hold nothing.
    fn pass_afresh(&mut self, goal: Goal, blueprint: &Blueprint) -> Result<Report, MakeError> {
        let circumstances = self.circumstances(goal);
        let mission = Mission { goal, blueprint: blueprint.clone(), circumstances };
        let mut operator = Operator::new(mission);
        let (mut inputs, mut effects) = (VecDeque::from([Input::Start]), Vec::new());
        let mut now = 0;
        while let Some(input) = inputs.pop_front() {
            operator.on(now, input, &mut effects);
            for effect in effects.drain(..) {
                inputs.push_back(match effect {
                    Effect::Finish(report) => return Ok(report),
                    Effect::Refuse { refusals } => return Err(MakeError::Refused(refusals)),
                    Effect::Remember(what) => {
                        self.memory.remember(&what)?;
                        Input::Remembered(what)
                    }
                    Effect::Wake { at } => {
                        now = at;
                        Input::Woke
                    }
                    other => empty(other)?,
                });
            }
        }
        Err(MakeError::Other("the plan came to no end".to_owned()))
    }

    /// Tells what leaving takes of machines and of the API.
    async fn plan_leave(
        &mut self,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<(), MakeError> {
        for gone in self.left() {
            if self.node_of(&gone).await?.is_some() {
                tell(Parting::of_node(&gone.name).event(self.seconds(), 0.0, None));
            }
            if !self.is_to_be_entered(&gone) {
                continue;
            }
            match self.enter_left(&gone).await {
                Err(why) => tell(unseen_machine(&gone.name, &why, self.seconds())),
                Ok(site) if self.is_ours(&site).await? => {
                    let nothing = self.nothing_on(&gone);
                    let goal = Goal::Plan;
                    let report = self.pass_over(&site, goal, &nothing, tell, interrupts).await?;
                    report.changes.iter().for_each(|planned| tell(step(planned, self.seconds())));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Tells which objects are to go or to be released.
    async fn plan_objects(
        &self,
        blueprint: &Blueprint,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(), MakeError> {
        for parting in self.unwanted(blueprint).await? {
            tell(parting.event(self.seconds(), 0.0, None));
        }
        Ok(())
    }
}

/// Answers for machines that hold nothing, and for an API that is not there yet.
fn empty(effect: Effect) -> Result<Input, MakeError> {
    match effect {
        Effect::Observe { node, looks } => {
            let items = looks.into_iter().map(|(id, _)| (id, ItemSeen::Absent)).collect();
            Ok(Input::Observed { node, seen: Seen { items, ..Seen::default() } })
        }
        Effect::Members { node } => Ok(Input::Members { node, members: None }),
        Effect::Object(ObjectAct::Look { index }) => {
            Ok(Input::ObjectLooked { index, seen: ObjectSeen::Absent })
        }
        other => Err(MakeError::Other(format!("a plan wants to act: {other:?}"))),
    }
}

fn is_promotion(planned: &Planned) -> bool {
    matches!(planned, Planned::Machine { step, .. } if matches!(step.act, Act::Etcd(EtcdAct::Promote { .. })))
}

fn step(planned: &Planned, seconds: f64) -> Event {
    let (node, item, by, because) = match planned {
        Planned::Machine { node, step } => {
            (Some(node.clone()), step.item.to_string(), &step.by, step.reason())
        }
        Planned::Object { key, by, because, .. } => {
            (None, key.to_string(), by, because.to_string())
        }
    };
    let by = by.clone();
    Event::Step { node, item, by, because, seconds, took: 0.0, change: true, failed: None }
}

fn unseen(remark: &Remark, seconds: f64) -> Event {
    let Remark { node, what, by, why } = remark.clone();
    Event::Unseen { node, item: what, by, why, seconds }
}

fn unseen_machine(node: &NodeName, why: &str, seconds: f64) -> Event {
    let (item, by) = (MACHINE.to_owned(), BY.to_owned());
    Event::Unseen { node: Some(node.clone()), item, by, why: why.to_owned(), seconds }
}

#[cfg(test)]
mod tests {
    use ringfort_engine::{Planned, Remark};
    use ringfort_model::etcd::EtcdAct;
    use ringfort_model::event::Event;
    use ringfort_model::name::NodeName;
    use ringfort_model::step::{Act, Difference, Step};

    use super::{is_promotion, step, unseen};

    fn planned(act: EtcdAct) -> Planned {
        let step = Step {
            item: "serving:etcd".parse().unwrap(),
            by: "ha/control-plane".to_owned(),
            because: Difference::Content,
            act: Act::Etcd(act),
        };
        Planned::Machine { node: NodeName::new("cp1").unwrap(), step }
    }

    #[test]
    fn a_change_of_the_membership_says_which() {
        let leaves = planned(EtcdAct::Remove { id: "8e9e".to_owned() });
        let Event::Step { because, change, .. } = step(&leaves, 0.0) else { panic!("no step") };
        assert_eq!((because.as_str(), change), ("member 8e9e leaves", true));
        assert!(!is_promotion(&leaves));
        assert!(is_promotion(&planned(EtcdAct::Promote { id: "1".to_owned() })));
    }

    #[test]
    fn what_could_not_be_looked_at_is_an_event() {
        let word = |text: &str| text.to_owned();
        let remark = Remark { node: None, what: word("a"), by: word("b"), why: word("c") };
        let line = serde_json::to_string(&unseen(&remark, 1.0)).unwrap();
        let expected =
            r#"{"event":"unseen","node":null,"item":"a","by":"b","why":"c","seconds":1.0}"#;
        assert_eq!(line, expected);
    }
}
