//! The record of a lab: one JSON file, written before anything else of the lab is made. It says
//! what the lab is; what runs is read from the kernel, so the two cannot disagree.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::PathBuf;

use ringfort_model::name::NodeName;
use serde::{Deserialize, Serialize};

use crate::name::LabName;
use crate::shape::Shape;
use crate::virtual_machine::VirtualMachines;

/// What a lab is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Record {
    /// The version of this format.
    pub(crate) format: u32,
    /// The lab's name.
    pub(crate) name: LabName,
    /// Its machines.
    pub(crate) shape: Shape,
    /// The base system under every machine.
    pub(crate) base: PathBuf,
    /// A directory that every machine sees read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<PathBuf>,
    /// Those of its machines that are virtual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) virtual_machines: Option<VirtualMachines>,
    /// The links that are cut.
    pub(crate) cuts: BTreeSet<Cut>,
}

/// A cut in the lab's network.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cut {
    /// Two machines do not hear each other.
    Between(NodeName, NodeName),
    /// A machine hears nobody, not even the operator.
    Alone(NodeName),
}

impl Cut {
    /// Cuts two machines from each other; the order they are named in does not matter. `None` if
    /// both are the same.
    pub fn between(one: NodeName, other: NodeName) -> Option<Self> {
        match one.cmp(&other) {
            Ordering::Less => Some(Self::Between(one, other)),
            Ordering::Equal => None,
            Ordering::Greater => Some(Self::Between(other, one)),
        }
    }

    /// Says whether a machine has part in the cut.
    pub fn concerns(&self, machine: &NodeName) -> bool {
        self.machines().contains(&machine)
    }

    /// Lists the machines that have part in the cut.
    pub(crate) fn machines(&self) -> Vec<&NodeName> {
        match self {
            Self::Between(one, other) => vec![one, other],
            Self::Alone(one) => vec![one],
        }
    }
}

/// Says why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableRecord {
    /// The text is torn or was written by something else.
    #[error("the record is torn")]
    Torn(#[source] serde_json::Error),
    /// A later version wrote it.
    #[error("the record has format {found}, this program reads {FORMAT}")]
    Format {
        /// The format it has.
        found: u64,
    },
}

impl Record {
    pub(crate) fn new(name: LabName, shape: Shape, base: PathBuf, store: Option<PathBuf>) -> Self {
        let virtual_machines = None;
        Self { format: FORMAT, name, shape, base, store, virtual_machines, cuts: BTreeSet::new() }
    }

    /// Gives what a machine is made of if it is a virtual one.
    pub(crate) fn made_virtual(&self, machine: &NodeName) -> Option<&VirtualMachines> {
        self.virtual_machines.as_ref().filter(|made| made.names.contains(machine))
    }

    /// Names the virtual machines.
    pub(crate) fn virtual_names(&self) -> BTreeSet<NodeName> {
        self.virtual_machines.as_ref().map(|made| made.names.clone()).unwrap_or_default()
    }

    pub(crate) fn parse(text: &str) -> Result<Self, UnreadableRecord> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(UnreadableRecord::Torn)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(FORMAT) => Err(UnreadableRecord::Format { found }),
            _ => serde_json::from_value(value).map_err(UnreadableRecord::Torn),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("all keys are texts");
        text.push('\n');
        text
    }
}

const FORMAT: u32 = 1;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ringfort_model::name::NodeName;

    use super::{Cut, Record, UnreadableRecord};
    use crate::shape::Shape;
    use crate::virtual_machine::{Acceleration, VirtualMachines};

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn record() -> Record {
        let shape = Shape::new(3, 3).unwrap();
        let mut record = Record::new("a".parse().unwrap(), shape, PathBuf::from("/base"), None);
        record.cuts.insert(Cut::between(node("w1"), node("cp1")).unwrap());
        record.cuts.insert(Cut::Alone(node("cp2")));
        record
    }

    #[test]
    fn reads_what_it_wrote() {
        assert_eq!(Record::parse(&record().to_text()).unwrap(), record());
    }

    #[test]
    fn remembers_which_machines_are_virtual() {
        let mut record = record();
        record.virtual_machines = Some(VirtualMachines {
            names: [node("w3")].into(),
            memory_mebibytes: 2048,
            acceleration: Acceleration::Emulation,
            image: PathBuf::from("/image"),
        });
        let read = Record::parse(&record.to_text()).unwrap();
        assert_eq!(read, record);
        assert!(read.made_virtual(&node("w3")).is_some());
        assert!(read.made_virtual(&node("w2")).is_none());
    }

    #[test]
    fn every_torn_record_is_refused() {
        let text = record().to_text();
        for length in 0..text.trim_end().len() {
            assert!(matches!(Record::parse(&text[..length]), Err(UnreadableRecord::Torn(_))));
        }
    }

    #[test]
    fn later_formats_are_named() {
        let text = record().to_text().replace("\"format\": 1", "\"format\": 9");
        let found = Record::parse(&text).unwrap_err().to_string();
        assert_eq!(found, "the record has format 9, this program reads 1");
    }

    #[test]
    fn a_cut_has_no_direction() {
        assert_eq!(Cut::between(node("a"), node("b")), Cut::between(node("b"), node("a")));
        assert_eq!(Cut::between(node("a"), node("a")), None);
    }
}
