//! Files were copied out of a container.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec-copies-out",
    title: "Files were copied out of a container",
    severity: Severity::Medium,
    because: "what a container holds leaves by the API, past every NetworkPolicy",
    attack: &["T1005"],
    needs: &[EXEC],
    doc: include_str!("exec_copies_out.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let command = command(scene)?;
    let is_it = {
        let words: Vec<&str> = command.split([' ', '\'', '"', ';', '&', '|']).collect();
        let tar = words.iter().position(|word| *word == "tar" || word.ends_with("/tar"));
        let rest = tar.map_or(&[][..], |at| &words[at + 1..]);
        let creates = rest.iter().any(|word| {
            *word == "--create"
                || (!word.starts_with("--") && word.trim_start_matches('-').starts_with('c'))
        });
        let to_stdout = rest.iter().enumerate().any(|(at, word)| {
            *word == "--file=-" || (word.ends_with('f') && rest.get(at + 1) == Some(&"-"))
        });
        creates && to_stdout
    };
    is_it.then(|| {
        "a command packs files and writes them to the connection, as kubectl cp does".to_owned()
    })
}
