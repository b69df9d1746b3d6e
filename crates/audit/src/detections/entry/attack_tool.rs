//! A known tool of attackers says its name.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/attack-tool",
    title: "A known tool of attackers says its name",
    severity: Severity::Medium,
    because: "nobody runs one by accident, and good attackers hide it",
    attack: &["T1595"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("attack_tool.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let agent = scene.event.user_agent.as_bytes();
    let tool_at = |at: usize| {
        let begins = |tool: &&&str| {
            let part = agent.get(at..at + tool.len());
            part.is_some_and(|part| part.eq_ignore_ascii_case(tool.as_bytes()))
        };
        TOOLS.iter().find(begins)
    };
    let is_first_letter = |byte: &u8| matches!(byte | 0x20, b'k' | b'p' | b't');
    let places = agent.iter().enumerate().filter(|(_, byte)| is_first_letter(byte));
    let tool = places.map(|(at, _)| at).find_map(tool_at)?;
    Some(format!("the program calls itself {tool}"))
}

/// Tools by the names that they give themselves; their first letters stand in `judge`.
const TOOLS: [&str; 5] = ["kali", "kdigger", "kube-hunter", "peirates", "trufflehog"];
