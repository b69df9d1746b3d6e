//! Who may talk to whom: decided from policies, pods and namespaces, and nothing else.

mod budget;
mod change;
mod compile;
mod describe;
mod explain;
mod gate;
mod index;
mod isolation;
mod meaning;
mod outline;
mod pen;
mod rules;
mod span;
mod step;
mod translate;
mod turn;
mod way;
mod world;

pub use ringfort_facts::network::{
    Action, Direction, IpFamily, Labels, Leads, NamedPort, NotASelector, Peer, Place, Pod, Policy,
    Port, Protocol, Rule, Selector, Service, ServicePort, Slice, SliceEnd, SlicePort, Subject,
    TargetPort, Tier, Unreadable, WiderName, WiderPolicy, WiderRule, endpoint_slice, labels, place,
    pod, policy, service, slice_of, wider,
};
pub use ringfort_model::network_policy::WiderKind;

pub use budget::{BUDGET, ENTRIES, Outgrown, TooLong};
pub use change::{TABLE, change, replace};
pub use compile::{Attached, Home, compile, disputed, outgrown, settle, shut};
pub use describe::{Described, Ruled};
pub use explain::{
    Allowed, Answer, End, NoAnswer, PortWanted, Question, Ruling, Side, Why, explain,
};
pub use isolation::{Cut, cut};
pub use outline::Outline;
pub use rules::{Connection, Element, Kind, Line, RuleSet, Set, Verdict};
pub use span::{Family, Span};
pub use translate::{Backend, Call, NoServicePort, NotTranslated, Nowhere, Translated, translate};
pub use turn::Turn;
pub use world::{NAME_LABEL, PolicyName, World, is_closed_by, with_name};
