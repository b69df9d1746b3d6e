//! Rows as Markdown: a table for each section. What others named stands in spans of code.

use super::{Rows, Said};
use crate::benchmark::{self, Judged};
use crate::report::Answer;
use crate::report::markdown::{code, line, section, waived};

impl Rows<'_> {
    /// Writes them as Markdown.
    pub fn markdown(&self) -> String {
        let on = match self.machines {
            [] => String::new(),
            machines => format!(" on {}", code(&machines.join(", "))),
        };
        let mut page = format!("# ringfort check\n\n{}{on}: {}.\n", benchmark::NAME, self.sum());
        for (title, rows) in self.sections() {
            section(&mut page, &title, rows.len());
            page.push_str(
                "| row | verdict | what holds when it is kept | what was seen | next |\n",
            );
            page.push_str("|---|---|---|---|---|\n");
            rows.iter().for_each(|it| row(it, &mut page));
            let pods = rows.iter().filter_map(|it| Some((it.row.id, it.example.as_ref()?)));
            for (number, (id, pod)) in pods.enumerate() {
                let before = if number == 0 { "\n" } else { "" };
                let pod = code(&pod.to_string());
                line(&mut page, format_args!("{before}- {id}, this pod is let in: {pod}"));
            }
        }
        section(&mut page, "Waivers", self.idle.len());
        self.idle.iter().for_each(|it| line(&mut page, format_args!("- {}", code(it))));
        page
    }
}

fn row(judged: &Judged, page: &mut String) {
    let whole = Said::of_row(judged);
    let next = match &judged.waived {
        Some(by) => waived(&Answer::from(by), cell),
        None => {
            let next = whole.next().map(|(word, how)| format!("{word}: {}", cell(how)));
            next.unwrap_or_default()
        }
    };
    line(
        page,
        format_args!(
            "| {} | {} | {} | {} | {next} |",
            judged.row.id,
            whole.verdict.word(),
            judged.row.title,
            cell(&whole.said)
        ),
    );
}

/// Writes a text as a span of code in a table, where a stroke would end the cell even so.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}
