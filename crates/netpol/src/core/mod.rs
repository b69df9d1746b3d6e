//! Who may talk to whom: decided from policies, pods and namespaces, and nothing else.

mod change;
mod compile;
mod describe;
mod explain;
mod index;
mod object;

mod pen;
mod rules;
mod selector;
mod span;
mod step;
mod way;
mod wider;
mod world;

pub use change::{TABLE, change, replace};
pub use compile::{Attached, Home, compile};
pub use describe::Described;
pub use explain::{Allowed, Answer, End, NoAnswer, PortWanted, Question, Side, Why, explain};
pub use object::{
    Direction, NamedPort, Peer, Place, Pod, Policy, Port, Protocol, Rule, Unreadable, labels,
    place, pod, policy,
};
pub use rules::{Connection, Element, Kind, Line, RuleSet, Set, Verdict};
pub use selector::{Labels, NotASelector, Selector};
pub use span::{Family, Span};
pub use wider::{Action, Subject, Tier, Turn, WiderKind, WiderName, WiderPolicy, WiderRule, wider};
pub use world::{NAME_LABEL, PolicyName, World, with_name};
