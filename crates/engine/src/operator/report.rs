//! Ends a run and says what came of it.

use super::board::{Board, Link, Standing};
use super::objects;
use super::{Operator, Stage};
use crate::message::{Effect, Planned, Remark};
use crate::mission::Goal;
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::step::Difference;

impl Operator {
    /// Ends the run if nothing is on its way and nothing more can be done.
    pub(super) fn end_if_idle(&mut self, out: &mut Vec<Effect>) {
        let idle = self.boards.values().all(Board::is_idle)
            && self.objects.is_idle()
            && self.promotions.is_idle();
        if idle {
            self.finish(out);
        }
    }

    /// Ends the run with its report.
    pub(super) fn finish(&mut self, out: &mut Vec<Effect>) {
        self.stage = Stage::Ended;
        let mut report = std::mem::take(&mut self.report);
        for (node, board) in &self.boards {
            if let Link::Lost(why) | Link::Pausing(_, why) = &board.link {
                report.unreachable.insert(node.clone(), why.clone());
            }
            if matches!(self.mission.goal, Goal::Converge | Goal::Prepare | Goal::Reset) {
                report.waiting.extend(waiting(node, board));
            }
        }
        if matches!(self.mission.goal, Goal::Converge | Goal::Prepare) {
            self.report_objects(&mut report);
            for (_, node) in self.promotions.waiting() {
                let what = ItemId::Serving(super::ETCD.to_owned());
                report.waiting.push(remark(node, &what, "ha/control-plane", "has no vote yet"));
            }
        }
        out.push(Effect::Finish(report));
    }

    fn report_objects(&self, report: &mut crate::message::Report) {
        for (index, standing) in self.objects.standings().iter().enumerate() {
            let list = match standing {
                objects::Standing::Right => continue,
                objects::Standing::Failed => &mut report.failures,
                _ => &mut report.waiting,
            };
            let why = match self.objects.why(index) {
                "" => "waits for an API server",
                why => why,
            };
            list.push(self.object_remark(index, why));
        }
    }

    pub(super) fn object_remark(&self, index: usize, why: &str) -> Remark {
        let object = &self.mission.blueprint.objects[index];
        let (what, by) = (object.key().to_string(), object.by.clone());
        Remark { node: None, what, by, why: why.to_owned() }
    }

    pub(super) fn note_object(&mut self, index: usize, because: Difference) {
        let object = &self.mission.blueprint.objects[index];
        let (key, by) = (object.key(), object.by.clone());
        self.report.changes.push(Planned::Object { index, key, by, because });
    }

    pub(super) fn fail(&mut self, node: &NodeName, what: &ItemId, by: &str, why: &str) {
        self.report.failures.push(remark(node, what, by, why));
    }
}

fn waiting(node: &NodeName, board: &Board) -> Vec<Remark> {
    let mut found = Vec::new();
    for (place, entry) in board.items.iter().enumerate() {
        if matches!(entry.standing, Standing::Right | Standing::Failed) {
            continue;
        }
        let why = match board.missing_need(place) {
            Some(need) => format!("waits for {need}"),
            None if board.is_up() => "waits for its turn".to_owned(),
            None => "waits for the machine".to_owned(),
        };
        found.push(remark(node, &entry.id, &entry.item.by, &why));
    }
    for id in &board.leftovers {
        found.push(remark(node, id, "ha/converges", "waits to be taken away"));
    }
    found
}

fn remark(node: &NodeName, what: &ItemId, by: &str, why: &str) -> Remark {
    Remark {
        node: Some(node.clone()),
        what: what.to_string(),
        by: by.to_owned(),
        why: why.to_owned(),
    }
}
