//! The examples on a control's page: what a cluster shows that has the control, lacks it, or does not tell. Each is
//! told in a sentence here; tests judge the world that it describes.

use serde::Deserialize;

use crate::control::Control;

/// One example, as it stands on the page.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// How its control is judged there.
    pub kind: Kind,
    /// What is told of it, in JSON.
    pub text: &'static str,
}

/// How a control is judged in an example.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It holds.
    Passes,
    /// It does not hold.
    Fails,
    /// Whether it holds was not seen.
    Unknown,
}

impl Kind {
    /// All of them, in the order in which pages have them.
    pub const ALL: [Self; 3] = [Self::Passes, Self::Fails, Self::Unknown];

    /// Names it as pages do.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Fails => "fails",
            Self::Unknown => "unknown",
        }
    }
}

const HEADING: &str = "\n## Examples\n";
const FENCE: &str = "\n```json ";

impl Control {
    /// Gives its page without the examples.
    pub fn prose(&self) -> &'static str {
        self.doc.split(HEADING).next().unwrap_or_default().trim()
    }

    /// Gives the examples on its page.
    pub fn examples(&self) -> Vec<Example> {
        let blocks = self.doc.split(HEADING).skip(1).flat_map(|text| text.split(FENCE).skip(1));
        blocks.filter_map(example).collect()
    }
}

fn example(block: &'static str) -> Option<Example> {
    let (name, text) = block.split("\n```").next()?.split_once('\n')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some(Example { kind, text })
}

impl Example {
    /// Says in one sentence what is different there.
    ///
    /// # Errors
    ///
    /// What is told of it is no JSON, or has no sentence.
    pub fn said(&self) -> serde_json::Result<String> {
        serde_json::from_str::<Said>(self.text).map(|said| said.said)
    }
}

#[derive(Deserialize)]
struct Said {
    said: String,
}
