//! `ringfort check --cluster`: enters the machines of a `cluster.yaml` and takes their facts.

use std::path::Path;

use ringfort_forge::drive::fleet::OwnBinary;
use ringfort_forge::make::{Site, doors};
use ringfort_model::machine::MachineFacts;

use crate::cli::session::{beside, home, operator_name};
use crate::cli::{Fault, machines, specification};

/// Takes the facts of every machine that a specification names. Of one that could not be entered everything
/// is missing.
pub(super) async fn gather(file: &Path) -> Result<Vec<MachineFacts>, Fault> {
    let spec = specification::read(file)?;
    let program = std::env::current_exe().map_err(Fault::unable)?;
    let own = OwnBinary::read(&program).map_err(Fault::unable)?;
    let doors = doors(&spec, &home()?, beside(file));
    let site = Site::enter(&doors, &own, &operator_name()).await;
    let taken = machines::facts(&site).await.into_iter().map(|(node, facts)| {
        facts.unwrap_or_else(|why| {
            eprintln!("error: facts of {node} could not be taken: {why}");
            machines::unseen(node.to_string(), why)
        })
    });
    Ok(taken.collect())
}
