//! How a control is broken on purpose, to see its proof fail: what a hurried hand, a wrong guide or an
//! intruder would leave behind. It is data, so that it can be listed, drawn and tried on throwaway
//! machines; nothing here touches one.

use ringfort_model::blueprint::Role;
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::name::NodeName;
use ringfort_spec::Spec;

use crate::catalogue;
use crate::control::Control;
use crate::draft::{Component, Document};

/// One way to break a control.
#[derive(Debug)]
pub struct Sabotage {
    /// Names it within its control.
    pub name: &'static str,
    /// Says in one sentence what somebody did.
    pub about: &'static str,
    /// Where it is done.
    pub on: On,
    /// What is done.
    pub harms: &'static [Harm],
    /// The other controls whose proofs fail with it.
    pub also: &'static [&'static str],
}

/// Where something is broken. One machine is the last of its kind, where a proof that looks at the first
/// alone sees nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum On {
    /// The last control plane.
    OneControlPlane,
    /// Every control plane.
    ControlPlanes,
    /// The last worker.
    OneWorker,
    /// Every machine.
    Everywhere,
}

/// What is done. Values of settings are JSON.
#[derive(Debug)]
pub enum Harm {
    /// Gives a component's flag this value alone, in which `{kubernetes}` stands for the release.
    Flag(Component, &'static str, &'static str),
    /// Takes a component's flag away.
    NoFlag(Component, &'static str),
    /// Takes one value of a component's flag away.
    NoValue(Component, &'static str, &'static str),
    /// Leaves the first of several values of a component's flag.
    FirstValue(Component, &'static str),
    /// Gives a component's flag one more value.
    Value(Component, &'static str, &'static str),
    /// Changes a setting of a document, by its path.
    Setting(Document, &'static str, &'static str),
    /// Changes a part of a component's pod, by its JSON pointer.
    Pod(Component, &'static str, &'static str),
    /// Changes the configuration of an admission plugin on every server, by a JSON pointer.
    Plugin(&'static str, &'static str, &'static str),
    /// Writes another text into a file that is there.
    File(&'static str, &'static str),
    /// Exchanges a part of a text file.
    Text(&'static str, &'static str, &'static str),
    /// Adds to one text file what stands in another.
    Join(&'static str, &'static str),
    /// Gives a file another mode.
    Mode(&'static str, FileMode),
    /// Gives a file another owner.
    Owner(&'static str, Owner),
    /// Adds a group to those that a certificate speaks for.
    Group(&'static str, &'static str),
    /// Lets a certificate be used for everything.
    AnyUse(&'static str),
    /// Takes away the guards that the control wrote.
    NoGuard,
    /// Exchanges a part of the guards that the control wrote.
    Guard(&'static str, &'static str),
    /// Adds an object of the API, or puts it in the place of one of its name.
    Object(&'static str),
    /// Adds a rule to a `ClusterRole`, by the role's name.
    Rule(&'static str, &'static str),
    /// Starts a component again, which reads some of its files only now and then.
    Restart(Component),
    /// Runs a script on the machine when everything is made, and another before the next is.
    Live {
        /// Breaks it.
        does: &'static str,
        /// Mends it.
        undoes: &'static str,
    },
}

impl Sabotage {
    /// The guards of a control are missing on every server, which also shows in the digest of all guards, and
    /// in the list of files.
    pub(crate) const fn unguarded(about: &'static str) -> Self {
        Self {
            name: "no-guard",
            about,
            on: On::ControlPlanes,
            harms: &[Harm::NoGuard],
            also: &["access/admission-objects", "node/closed-files"],
        }
    }

    /// Names the machines that it is done to.
    pub fn machines(&self, spec: &Spec) -> Vec<NodeName> {
        let of = |role: Role| {
            spec.nodes.values().filter(move |node| node.role == role).map(|node| node.name.clone())
        };
        match self.on {
            On::OneControlPlane => of(Role::ControlPlane).next_back().into_iter().collect(),
            On::ControlPlanes => of(Role::ControlPlane).collect(),
            On::Everywhere => spec.nodes.keys().cloned().collect(),
            On::OneWorker => of(Role::Worker).next_back().into_iter().collect(),
        }
    }
}

/// Gives every sabotage, with its control.
pub fn sabotages() -> impl Iterator<Item = (&'static Control, &'static Sabotage)> {
    let of = |control: &'static Control| {
        let all = control.prove.map_or(&[][..], |proof| proof.sabotage);
        all.iter().map(move |sabotage| (control, sabotage))
    };
    catalogue::CATALOGUE.iter().copied().flat_map(of)
}

/// Finds a sabotage by its control's id and its name, as in `audit/policy-is-set/level-none`.
pub fn find(name: &str) -> Option<(&'static Control, &'static Sabotage)> {
    let (control, name) = name.rsplit_once('/')?;
    sabotages().find(|(found, sabotage)| found.id == control && sabotage.name == name)
}
