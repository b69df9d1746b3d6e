//! Any text is facts of a machine or is refused; what is read claims to be facts, is written as it was read, and is
//! judged, whatever it says.

use ringfort_check::benchmark::{Looked, judge, rows};
use ringfort_facts::machine::Machine;
use ringfort_model::machine::MachineFacts;

/// Reads bytes as a bundle.
pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(read) = MachineFacts::read(&text) else { return };
    assert!(MachineFacts::claims(&text), "what is read as facts says so");
    let written = serde_json::to_string(&read).expect("what was read is written");
    assert_eq!(MachineFacts::read(&written).ok().as_ref(), Some(&read), "it is read as written");
    let machines = [Machine::new(&read, None)];
    let looked = Looked { machines: &machines, ..Looked::default() };
    assert_eq!(judge(&looked).len(), rows().count(), "every row comes to something");
}
