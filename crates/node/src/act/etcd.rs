//! etcd's membership, through the member on this machine.
//!
//! The client's key is named by path; etcdctl reads it, nobody else.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use ringfort_model::etcd::{EtcdAct, Member};
use ringfort_model::seen::ItemSeen;
use ringfort_model::step::Outcome;

use super::{ActError, Actor};
use crate::probe::page;
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

/// Where the member of this machine tells what it measures, to this machine alone.
const MEASURES: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2381);
/// How long that may take.
const MEASURED: Duration = Duration::from_secs(3);

/// Lists etcd's members; `None` where etcd does not answer.
pub(crate) fn members(tools: &dyn Tools) -> Option<Vec<Member>> {
    let mut members = list(tools).ok()?;
    // Where it does not say whom it hears, nobody is taken for dead.
    if let Ok(measures) = page(MEASURES, "/metrics", MEASURED) {
        let heard = Heard::read(&measures);
        members.iter_mut().for_each(|member| member.unheard = heard.lacks(&member.id));
    }
    Some(members)
}

/// Whom a member has connections with.
#[derive(Debug, Default, Eq, PartialEq)]
struct Heard<'a> {
    own: &'a str,
    peers: BTreeMap<&'a str, bool>,
}

impl<'a> Heard<'a> {
    /// Reads lines as `etcd_network_active_peers{Local="8e9e",Remote="91bc"} 1`.
    fn read(measures: &'a str) -> Self {
        let mut heard = Self::default();
        for line in measures.lines() {
            let Some((labels, value)) = line
                .strip_prefix("etcd_network_active_peers{")
                .and_then(|rest| rest.split_once("} "))
            else {
                continue;
            };
            for label in labels.split(',') {
                match label.split_once('=').map(|(name, value)| (name, value.trim_matches('"'))) {
                    Some(("Local", own)) => heard.own = own,
                    Some(("Remote", peer)) => _ = heard.peers.insert(peer, value.trim() != "0"),
                    _ => {}
                }
            }
        }
        heard
    }

    /// Says whether a member is not heard. One that never was has no line.
    fn lacks(&self, id: &str) -> bool {
        !self.own.is_empty() && id != self.own && self.peers.get(id) != Some(&true)
    }
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
            unheard: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Heard;

    #[test]
    fn who_is_not_heard_is_read_from_what_etcd_measures() {
        let measures = "# TYPE etcd_network_active_peers gauge\n\
            etcd_network_active_peers{Local=\"a1\",Remote=\"b2\"} 1\n\
            etcd_network_active_peers{Local=\"a1\",Remote=\"c3\"} 0\n\
            etcd_network_client_grpc_sent_bytes_total 0\n";
        let heard = Heard::read(measures);
        let lacking: Vec<&str> =
            ["a1", "b2", "c3", "d4"].into_iter().filter(|id| heard.lacks(id)).collect();
        assert_eq!(lacking, ["c3", "d4"]);
        // A member alone measures no others.
        assert!(!Heard::read("etcd_server_has_leader 1\n").lacks("a1"));
    }
}
