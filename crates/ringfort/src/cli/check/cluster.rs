//! `ringfort check --cluster`: enters the machines of a `cluster.yaml` and takes their facts.

use std::collections::BTreeMap;
use std::path::Path;

use ringfort_forge::drive::fleet::{BINARY, OwnBinary};
use ringfort_forge::make::{Site, doors};
use ringfort_model::machine::{FACTS_API_VERSION, FACTS_KIND, MachineFacts, Observed, Unseen};

use crate::cli::Fault;
use crate::cli::session::{beside, home, operator_name};
use crate::cli::specification;

/// Takes the facts of every machine that a specification names. Of one that could not be entered everything
/// is missing.
pub(super) async fn gather(file: &Path) -> Result<Vec<MachineFacts>, Fault> {
    let spec = specification::read(file)?;
    let program = std::env::current_exe().map_err(Fault::unable)?;
    let own = OwnBinary::read(&program).map_err(Fault::unable)?;
    let doors = doors(&spec, &home()?, beside(file));
    let site = Site::enter(&doors, &own, &operator_name()).await;
    let mut bundles = Vec::new();
    for (node, error) in &site.missing {
        eprintln!("error: {node} could not be entered: {error}");
        bundles.push(unseen(node.to_string(), error.to_string()));
    }
    for (node, host) in site.hosts() {
        let said = host.run(&format!("exec {BINARY} node gather"), &[]).await;
        let read = said.map_err(|error| error.to_string()).and_then(|output| {
            let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
            MachineFacts::read(&text).map_err(|error| error.to_string())
        });
        bundles.push(match read {
            // Machines go by the names that cluster.yaml gives them.
            Ok(facts) => MachineFacts { name: Observed::Known(node.to_string()), ..facts },
            Err(why) => {
                eprintln!("error: facts of {node} could not be taken: {why}");
                unseen(node.to_string(), why)
            }
        });
    }
    Ok(bundles)
}

/// A machine of which nothing is known but its name.
fn unseen(name: String, why: String) -> MachineFacts {
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
        kernel: BTreeMap::new(),
        audit: None,
    }
}

#[cfg(test)]
mod tests {
    use ringfort_check::benchmark::{Looked, judge};
    use ringfort_facts::machine::Machine;
    use ringfort_model::judgement::Verdict;

    use super::unseen;

    #[test]
    fn a_machine_that_was_not_entered_passes_nothing() {
        let facts = unseen("cp1".to_owned(), "no answer".to_owned());
        let machines = [Machine::new(&facts, None)];
        for judged in judge(&Looked { machines: &machines, ..Looked::default() }) {
            assert_eq!(Verdict::from(&judged.whole), Verdict::Unknown, "{}", judged.row.id);
        }
    }
}
