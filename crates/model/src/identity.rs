//! The names of ringfort's identities in the API.

/// ringfort itself, while it makes the cluster. It lives for a run, in memory.
pub const KEEPER: &str = "ringfort:keeper";

/// Nobody who may do anything, in the proofs that such a one is refused. It lives for a run, in memory.
pub const CANARY: &str = "ringfort:canary";

/// The namespace of a run of proofs, with what only that run has behind it: eight digits in hexadecimal.
pub const CANARIES: &str = "ringfort-canary-";

/// What is done there to see who is told of it has this in its name, behind the namespace's.
pub const TO_BE_TOLD: &str = "-told-";

/// Whether a namespace is named as one of a run of proofs.
pub fn is_of_canaries(namespace: &str) -> bool {
    let is_digit = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    let word = namespace.strip_prefix(CANARIES);
    word.is_some_and(|word| word.len() == 8 && word.bytes().all(is_digit))
}

/// Names the second namespace of a run of proofs, from where neighbours try what the first lets in: each digit is the
/// other one that makes fifteen with it, so that it is named as one and never the same.
pub fn neighbour_of(namespace: &str) -> String {
    let other =
        |letter: char| letter.to_digit(16).and_then(|digit| char::from_digit(15 - digit, 16));
    match namespace.strip_prefix(CANARIES).filter(|_| is_of_canaries(namespace)) {
        Some(word) => format!("{CANARIES}{}", word.chars().filter_map(other).collect::<String>()),
        None => format!("{namespace}-next"),
    }
}

/// A control plane, where it shows checkpoints of its log to another that witnesses them, and where it asks its own API
/// server how much it logged; the machine's name stands behind it.
pub const WITNESS: &str = "ringfort:witness:";

/// Names a control plane's witness.
pub fn witness_of(machine: &str) -> String {
    format!("{WITNESS}{machine}")
}

/// The integrity agent of a machine, where it delivers what it found; the machine's name stands behind it.
pub const AGENT: &str = "ringfort:agent:";

/// Names a machine's agent.
pub fn agent_of(machine: &str) -> String {
    format!("{AGENT}{machine}")
}

/// The administrator of workloads, whose kubeconfig is handed over.
pub const ADMIN: &str = "ringfort:admin";

#[cfg(test)]
mod tests {
    use super::{is_of_canaries, neighbour_of};

    #[test]
    fn the_namespace_beside_is_another_and_is_known_as_one_of_canaries() {
        for word in ["00000000", "77777777", "0123abcd", "0ff0f00f"] {
            let own = format!("ringfort-canary-{word}");
            let other = neighbour_of(&own);
            assert!(is_of_canaries(&other) && other != own, "{other}");
            assert_eq!(neighbour_of(&other), own);
        }
        assert_eq!(neighbour_of("canary"), "canary-next");
    }
}
