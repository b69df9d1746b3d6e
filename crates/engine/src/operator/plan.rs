//! Says what a run would change, without changing anything.
//!
//! The same comparison as in a run, plus what follows from one change for another item before the
//! machine could be asked: a new key makes the certificates of the old one useless.

use std::collections::BTreeSet;

use ringfort_model::content::Content;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::name::NodeName;
use ringfort_model::seen::ItemSeen;
use ringfort_model::step::Difference;

use super::Operator;
use super::board::{Board, Link, Place, removal};
use super::objects;
use super::promote::promotion;
use crate::difference::NotSeen;
use crate::message::{Effect, Planned, Remark};

impl Operator {
    /// Ends a planning run with its report.
    pub(super) fn plan(&mut self, out: &mut Vec<Effect>) {
        let mut planned = Vec::new();
        let mut unseen = Vec::new();
        for (node, board) in self.boards.iter().filter(|(_, board)| board.link == Link::Up) {
            self.plan_machine(node, board, &mut planned, &mut unseen);
        }
        for (id, node) in self.promotions.waiting() {
            planned.push(Planned::Machine { node: node.clone(), step: promotion(id) });
        }
        planned.extend(self.overdue_makers());
        self.report.changes = planned;
        self.report.unseen = unseen;
        self.plan_the_objects();
        self.finish(out);
    }

    fn plan_machine(
        &self,
        node: &NodeName,
        board: &Board,
        planned: &mut Vec<Planned>,
        unseen: &mut Vec<Remark>,
    ) {
        let (mut new_keys, mut put_right) = (BTreeSet::new(), BTreeSet::new());
        for place in in_order_of_needs(board) {
            let entry = &board.items[place];
            if matches!(entry.id, ItemId::Serving(_)) {
                continue;
            }
            match self.foresee(board, place, &new_keys, &put_right) {
                Ok(None) => {}
                Ok(Some(because)) => {
                    if is_key(&entry.item) && because != Difference::Permissions {
                        new_keys.insert(entry.id.clone());
                    }
                    if because != Difference::Permissions {
                        put_right.insert(entry.id.clone());
                    }
                    let step = board.step(place, because);
                    planned.push(Planned::Machine { node: node.clone(), step });
                }
                Err(NotSeen { why }) => unseen.push(Remark {
                    node: Some(node.clone()),
                    what: entry.id.to_string(),
                    by: entry.item.by.clone(),
                    why,
                }),
            }
        }
        for id in board.leftovers.iter().rev() {
            let step = removal(id.clone(), "ha/converges".to_owned());
            planned.push(Planned::Machine { node: node.clone(), step });
        }
    }

    fn foresee(
        &self,
        board: &Board,
        place: Place,
        new_keys: &BTreeSet<ItemId>,
        put_right: &BTreeSet<ItemId>,
    ) -> Result<Option<Difference>, NotSeen> {
        let entry = &board.items[place];
        let because = board.compare(place, &self.mission.circumstances)?;
        let loses_its_key = match &entry.item.what {
            What::File { content: Content::Issued(request), .. } => {
                new_keys.contains(&ItemId::file(&request.key))
            }
            _ => false,
        };
        let misreads = entry.item.what.reads().any(|path| put_right.contains(&ItemId::file(path)));
        if misreads && because.is_none() {
            return Ok(Some(Difference::Stale));
        }
        let is_file = matches!(board.seen.items.get(&entry.id), Some(ItemSeen::File { .. }));
        Ok(if loses_its_key && is_file { Some(Difference::Content) } else { because })
    }

    /// Plans to start anew what runs as it should while the object is gone that it makes at its start.
    fn overdue_makers(&self) -> Vec<Planned> {
        let overdue = |(index, _): (usize, &objects::Standing)| {
            let (node, place) = self.maker(index).filter(|_| self.objects.is_away(index))?;
            let board = &self.boards[node];
            let runs = matches!(board.compare(place, &self.mission.circumstances), Ok(None));
            let step = board.step(place, Difference::Unmade);
            runs.then(|| Planned::Machine { node: node.clone(), step })
        };
        self.objects.standings().iter().enumerate().filter_map(overdue).collect()
    }

    fn plan_the_objects(&mut self) {
        let has_data = self.boards.values().any(|board| board.seen.etcd_data);
        for index in 0..self.objects.standings().len() {
            match self.objects.standings()[index] {
                objects::Standing::Right => {}
                objects::Standing::Wrong(because) => self.note_object(index, because),
                // Without any data nothing is there. Who makes an object leaves its fields to ringfort.
                objects::Standing::Open if !has_data => {
                    let is_awaited = self.maker(index).is_some();
                    let because =
                        if is_awaited { Difference::Content } else { Difference::Missing };
                    self.note_object(index, because);
                }
                objects::Standing::Open => {
                    let remark = self.object_remark(index, "no API server answers");
                    self.report.unseen.push(remark);
                }
                _ => {
                    let remark = self.object_remark(index, self.objects.why(index));
                    self.report.unseen.push(remark);
                }
            }
        }
    }
}

fn is_key(item: &Item) -> bool {
    matches!(item.what, What::File { content: Content::PrivateKey, .. })
}

/// Lists the places of a board so that every item comes after what it needs.
fn in_order_of_needs(board: &Board) -> Vec<Place> {
    let mut order = Vec::with_capacity(board.items.len());
    let mut listed = vec![false; board.items.len()];
    for place in 0..board.items.len() {
        list(board, place, &mut listed, &mut order);
    }
    order
}

fn list(board: &Board, place: Place, listed: &mut [bool], order: &mut Vec<Place>) {
    if std::mem::replace(&mut listed[place], true) {
        return;
    }
    for need in board.items[place].item.needs.iter().filter_map(|need| board.place(need)) {
        list(board, need, listed, order);
    }
    order.push(place);
}
