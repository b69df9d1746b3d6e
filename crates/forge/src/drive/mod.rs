//! The operator's side of converging: performs what the engine asks for, and tells it what came of it.

pub mod fleet;
pub mod link;
pub mod run;
pub mod supply;
