//! Why a draft is no blueprint.

/// Says why a draft is no blueprint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DraftFault {
    /// Two controls set one thing differently.
    #[error("{first} and {second} set {what} differently: this is a fault of ringfort")]
    Conflict {
        /// What they set.
        what: String,
        /// The control that set it first.
        first: String,
        /// The control that set it after.
        second: String,
    },
    /// The bundle lacks something.
    #[error("the bundle lacks {name:?}: build or fetch a bundle of this release")]
    NotInBundle {
        /// What it lacks.
        name: String,
    },
    /// The cluster's trust lacks something.
    #[error("trust.json lacks {what}: put back its last good version")]
    Unknown {
        /// What it lacks.
        what: String,
    },
    /// An item waits for one that nobody asked for.
    #[error("{item} of {by} waits for {need}, which nobody asked for: this is a fault of ringfort")]
    NoSuchNeed {
        /// The item.
        item: String,
        /// The control that asked for it.
        by: String,
        /// What it waits for.
        need: String,
    },
    /// What was to be broken on purpose is not there.
    #[error("there is nothing to break: {what}")]
    NothingToBreak {
        /// What was to be broken.
        what: String,
    },
    /// A path is to be put back, and nothing of ringfort's is there.
    #[error(
        "integrity.paths names {path}, and ringfort writes nothing there whose content the baseline says: remove it"
    )]
    NothingToPutBack {
        /// The path.
        path: String,
    },
    /// A default of pods would open what another control closes.
    #[error(
        "{loosening} may not be on without {guard}: Pod Security accepts root in a user namespace, so that the default alone would let root in"
    )]
    Unguarded {
        /// The control that loosens.
        loosening: &'static str,
        /// The control that must be there.
        guard: &'static str,
    },
}
