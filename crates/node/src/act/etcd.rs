//! etcd's membership, through the member on this machine.
//!
//! The client's key is named by path; etcdctl reads it, nobody else.

use serde::Deserialize;

use ringfort_model::etcd::{EtcdAct, Member};
use ringfort_model::seen::ItemSeen;
use ringfort_model::step::Outcome;

use super::{ActError, Actor};
use crate::tools::{ToolError, Tools, run};

/// How etcdctl reaches the member of this machine.
const REACH: &[&str] = &[
    "--endpoints=https://127.0.0.1:2379",
    "--cacert=/etc/kubernetes/pki/etcd-client-ca.crt",
    "--cert=/etc/kubernetes/pki/apiserver-etcd-client.crt",
    "--key=/etc/kubernetes/pki/apiserver-etcd-client.key",
    "--dial-timeout=3s",
    "--command-timeout=8s",
];

impl Actor<'_> {
    /// Changes the membership; what is so already is done.
    pub(super) fn etcd(&self, act: &EtcdAct) -> Result<Outcome, ActError> {
        let members = list(self.tools)?;
        let of = |id: &str| members.iter().find(|member| member.id == id);
        match act {
            EtcdAct::Remove { id } if of(id).is_none() => {}
            EtcdAct::Remove { id } => {
                etcdctl(self.tools, &["member", "remove", id])?;
            }
            EtcdAct::AddLearner { peer_url, .. }
                if members.iter().any(|member| member.peer_urls.contains(peer_url)) => {}
            EtcdAct::AddLearner { node, peer_url } => {
                let urls = format!("--peer-urls={peer_url}");
                etcdctl(self.tools, &["member", "add", node.as_str(), &urls, "--learner"])?;
            }
            EtcdAct::Promote { id } => match of(id) {
                None => return Err(ActError::Refused(format!("etcd has no member {id}"))),
                Some(member) if !member.learner => {}
                // A learner that is behind is refused; whoever wants its vote asks again.
                Some(_) => {
                    etcdctl(self.tools, &["member", "promote", id])?;
                }
            },
        }
        Ok(Outcome::Done(ItemSeen::Serving { healthy: true, inputs: None }))
    }
}

/// Lists etcd's members; `None` where etcd does not answer.
pub(crate) fn members(tools: &dyn Tools) -> Option<Vec<Member>> {
    list(tools).ok()
}

fn list(tools: &dyn Tools) -> Result<Vec<Member>, ActError> {
    let text = etcdctl(tools, &["member", "list", "-w", "json"])?;
    let listed = serde_json::from_str::<Listed>(&text);
    let listed =
        listed.map_err(|error| ActError::Refused(format!("etcdctl's list of members: {error}")))?;
    Ok(listed.members.into_iter().map(Member::from).collect())
}

fn etcdctl(tools: &dyn Tools, arguments: &[&str]) -> Result<String, ToolError> {
    run(tools, "etcdctl", &[REACH, arguments].concat())
}

#[derive(Deserialize)]
struct Listed {
    members: Vec<ListedMember>,
}

#[derive(Deserialize)]
struct ListedMember {
    #[serde(rename = "ID")]
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Vec<String>,
    #[serde(rename = "isLearner", default)]
    learner: bool,
}

impl From<ListedMember> for Member {
    fn from(listed: ListedMember) -> Self {
        Self {
            id: format!("{:x}", listed.id),
            name: listed.name,
            peer_urls: listed.peer_urls,
            learner: listed.learner,
        }
    }
}
