//! What the spec has to know of controls: their ids, and how far each can be waived.

/// A control that waivers may name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Known {
    /// The control's id.
    pub id: &'static str,
    /// What a waiver of it may be limited to; nothing if the control cannot be waived.
    pub limits: &'static [Limit],
}

/// A kind of limit of a waiver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// None: it holds for the whole cluster.
    Cluster,
    /// Namespaces with a label, or those of an add-on.
    Namespaces,
    /// Some namespaces, by name.
    Named,
    /// Some nodes.
    Nodes,
}

impl Limit {
    /// Says how a waiver with this limit is written.
    pub(crate) fn written(self) -> &'static str {
        match self {
            Self::Cluster => "without `scope`",
            Self::Namespaces => {
                "with `scope: { namespaceLabel: KEY, user: NAME }` or `scope: { addon: NAME }`"
            }
            Self::Named => "with `scope: { namespaces: [NAME] }`",
            Self::Nodes => "with `scope: { nodes: [NAME] }`",
        }
    }
}
