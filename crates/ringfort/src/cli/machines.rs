//! The facts of a cluster's machines, and what rows of a benchmark come to by them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use ringfort_check::benchmark::{beyond, rows};
use ringfort_facts::machine::Machine;
use ringfort_forge::drive::fleet::BINARY;
use ringfort_forge::make::Site;
use ringfort_host::Host;
use ringfort_model::judgement::Verdict;
use ringfort_model::machine::{FACTS_API_VERSION, FACTS_KIND, MachineFacts, Observed, Unseen};
use ringfort_model::name::NodeName;
use ringfort_model::version::Minor;

/// How long a machine may take to tell its facts.
const LIMIT: Duration = Duration::from_secs(60);

/// Takes the facts of every machine that was entered or should have been. Of one that says nothing everything
/// is missing, and why.
pub async fn facts(site: &Site) -> BTreeMap<NodeName, Result<MachineFacts, String>> {
    let missing = site
        .missing
        .iter()
        .map(|(node, error)| (node.clone(), Err(format!("it could not be entered: {error}"))));
    let hosts = site.hosts();
    let taken = join_all(hosts.iter().map(|(node, host)| async {
        (node.clone(), taken(host).await.map(|facts| named(node, facts)))
    }));
    missing.chain(taken.await).collect()
}

async fn taken(host: &Host) -> Result<MachineFacts, String> {
    let command = format!("exec {BINARY} node gather");
    let said = tokio::time::timeout(LIMIT, host.run(&command, &[])).await;
    let said = said.map_err(|_| format!("no answer within {} s", LIMIT.as_secs()))?;
    let output = said.map_err(|error| error.to_string())?;
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    MachineFacts::read(&text).map_err(|error| error.to_string())
}

/// Machines go by the names that cluster.yaml gives them.
fn named(node: &NodeName, facts: MachineFacts) -> MachineFacts {
    MachineFacts { name: Observed::Known(node.to_string()), ..facts }
}

/// A machine of which nothing is known but its name.
pub fn unseen(name: String, why: String) -> MachineFacts {
    let closes = format!("a way to enter {name}");
    MachineFacts {
        api_version: FACTS_API_VERSION.to_owned(),
        kind: FACTS_KIND.to_owned(),
        accounts: Observed::Gap(Unseen { at: name.clone(), why, closes }),
        name: Observed::Known(name),
        components: BTreeMap::new(),
        files: BTreeMap::new(),
        below: BTreeMap::new(),
        certificates: BTreeMap::new(),
        public_keys: BTreeMap::new(),
        kernel: BTreeMap::new(),
        audit: None,
    }
}

/// What the rows that are about machines come to on one, by their numbers, and those beyond the benchmark by their
/// controls.
pub fn verdicts(facts: &MachineFacts, minor: Minor) -> BTreeMap<&'static str, String> {
    let machine = Machine::new(facts, Some(minor));
    let row = |row: &'static ringfort_check::benchmark::Row| {
        let verdict = Verdict::from(&row.of(&machine)?);
        Some((row.id, verdict.to_string()))
    };
    rows().chain(beyond()).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use ringfort_check::benchmark::{Looked, judge};
    use ringfort_facts::machine::Machine;
    use ringfort_model::judgement::Verdict;
    use ringfort_model::version::Minor;

    use super::{unseen, verdicts};

    #[test]
    fn a_machine_that_was_not_entered_passes_nothing() {
        let facts = unseen("cp1".to_owned(), "no answer".to_owned());
        let machines = [Machine::new(&facts, None)];
        for judged in judge(&Looked { machines: &machines, ..Looked::default() }) {
            assert_eq!(Verdict::from(&judged.whole), Verdict::Unknown, "{}", judged.row.id);
        }
        let rows = verdicts(&facts, Minor::V1_37);
        assert!(rows.len() > 50, "{rows:?}");
        assert!(rows.values().all(|verdict| verdict == "unknown"), "{rows:?}");
    }
}
