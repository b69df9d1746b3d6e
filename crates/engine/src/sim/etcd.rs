//! An invented etcd: members, votes, and what it takes to begin, to join and to lose everything.

use std::collections::BTreeMap;

use ringfort_model::etcd::{EtcdAct, Founding, FoundingState, Member};
use ringfort_model::name::NodeName;

/// The membership that a majority agrees on.
#[derive(Default)]
pub(super) struct Etcd {
    pub(super) members: BTreeMap<u64, Known>,
    /// Whether a majority ever ran, so that something may have been written.
    pub(super) has_begun: bool,
    /// Whether it refuses changes of the membership that cost the quorum.
    pub(super) is_strict: bool,
    next_id: u64,
}

/// A member as the others know it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) url: String,
    pub(super) name: String,
    pub(super) learner: bool,
    pub(super) was_started: bool,
    /// Whether it was there from the beginning.
    pub(super) is_founder: bool,
}

/// Why a member does not start.
pub(super) enum NoStart {
    /// It may later.
    NotYet,
    /// It did something that loses data.
    Broken(String),
}

impl Etcd {
    /// Lists the members as `member list` does. A founding member has its name before it starts,
    /// one that was added later only afterwards.
    pub(super) fn list(&self, running: &[u64]) -> Vec<Member> {
        let member = |(id, known): (&u64, &Known)| Member {
            id: format!("{id:x}"),
            name: known.name.clone(),
            peer_urls: vec![known.url.clone()],
            learner: known.learner,
            unheard: !running.contains(id),
        };
        self.members.iter().map(member).collect()
    }

    /// Says whether a majority of the voters runs.
    pub(super) fn has_quorum(&self, running: &[u64]) -> bool {
        let voters = self.members.iter().filter(|(_, known)| !known.learner);
        let (mut all, mut up) = (0, 0);
        for (id, _) in voters {
            all += 1;
            up += usize::from(running.contains(id));
        }
        up > all / 2
    }

    /// Starts a member on a machine, with or without data of its own.
    pub(super) fn start(
        &mut self,
        node: &NodeName,
        url: &str,
        data: Option<u64>,
        founding: &Founding,
        others_hold_data: bool,
        running: &[u64],
    ) -> Result<u64, NoStart> {
        if let Some(id) = data {
            // A removed member refuses to run (lab-2, 6: never put back under its old id).
            return if self.members.contains_key(&id) { Ok(id) } else { Err(NoStart::NotYet) };
        }
        if founding.state == FoundingState::New && !self.has_begun && !others_hold_data {
            self.found(founding);
        }
        let listed = self.members.iter().find(|(_, known)| known.url == url);
        let Some((&id, known)) = listed else {
            return Err(match founding.state {
                // "member has not been added": it exits, and the kubelet starts it again.
                FoundingState::Existing => NoStart::NotYet,
                FoundingState::New => {
                    NoStart::Broken(format!("{node} began a second cluster beside the first"))
                }
            });
        };
        if founding.state == FoundingState::New && !known.is_founder {
            return Err(NoStart::Broken(format!("{node} began a second cluster beside the first")));
        }
        if known.was_started && self.has_begun {
            return Err(NoStart::Broken(format!(
                "{node} came back without the data it voted with"
            )));
        }
        if founding.state == FoundingState::Existing && !self.has_quorum(running) {
            return Err(NoStart::NotYet);
        }
        if let Some(known) = self.members.get_mut(&id) {
            known.was_started = true;
            known.name = node.to_string();
        }
        Ok(id)
    }

    fn found(&mut self, founding: &Founding) {
        self.members.clear();
        for (node, url) in &founding.members {
            self.next_id += 1;
            let (url, name) = (url.clone(), node.to_string());
            let known = Known { url, name, learner: false, was_started: false, is_founder: true };
            self.members.insert(self.next_id, known);
        }
    }

    /// Changes the membership, under the conditions that etcd's strict check has.
    pub(super) fn change(&mut self, act: &EtcdAct, running: &[u64]) -> Result<(), String> {
        if !self.has_quorum(running) {
            return Err("etcdserver: no leader".to_owned());
        }
        match act {
            EtcdAct::Remove { id } => self.remove(&number(id), running),
            EtcdAct::AddLearner { peer_url, .. } => self.add(peer_url, running),
            EtcdAct::Promote { id } => self.promote(number(id), running),
        }
    }

    fn remove(&mut self, id: &u64, running: &[u64]) -> Result<(), String> {
        let Some(known) = self.members.remove(id) else {
            return Err("etcdserver: member not found".to_owned());
        };
        if self.is_strict && !self.has_quorum(running) {
            self.members.insert(*id, known);
            return Err(
                "etcdserver: re-configuration failed due to not enough started members".into()
            );
        }
        Ok(())
    }

    fn add(&mut self, url: &str, running: &[u64]) -> Result<(), String> {
        let is_silent = |(id, known): (&u64, &Known)| !known.learner && !running.contains(id);
        if self.members.iter().any(is_silent) {
            return Err("etcdserver: unhealthy cluster".to_owned());
        }
        if self.members.values().any(|known| known.url == url) {
            return Err("etcdserver: Peer URLs already exists".to_owned());
        }
        if self.members.values().any(|known| known.learner) {
            return Err("etcdserver: too many learner members in cluster".to_owned());
        }
        self.next_id += 1;
        let (url, name) = (url.to_owned(), String::new());
        let known = Known { url, name, learner: true, was_started: false, is_founder: false };
        self.members.insert(self.next_id, known);
        Ok(())
    }

    fn promote(&mut self, id: u64, running: &[u64]) -> Result<(), String> {
        match self.members.get_mut(&id) {
            None => Err("etcdserver: member not found".to_owned()),
            Some(known) if !known.learner => {
                Err("etcdserver: can only promote a learner member".to_owned())
            }
            Some(_) if !running.contains(&id) => {
                Err("etcdserver: can only promote a learner member which is in sync".to_owned())
            }
            Some(known) => {
                known.learner = false;
                Ok(())
            }
        }
    }
}

fn number(id: &str) -> u64 {
    u64::from_str_radix(id, 16).unwrap_or_default()
}
