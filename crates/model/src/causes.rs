//! What an error says, with its causes.

use std::error::Error;

/// Writes an error with its causes on one line, each said once: a message may have said its cause already.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Outer {
        said: &'static str,
        source: io::Error,
    }

    #[test]
    fn a_cause_is_said_once() {
        let of = |said| Outer { said, source: io::Error::other("the disk is full") };
        assert_eq!(with_causes(&of("it cannot be kept")), "it cannot be kept: the disk is full");
        let said = "it cannot be kept: the disk is full";
        assert_eq!(with_causes(&of(said)), said);
    }
}
