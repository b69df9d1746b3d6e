//! What is wrong with a file, said the way a compiler says it: place, excerpt, reason, way out.
//!
//! Never here: deciding what is wrong.

use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// One fault of a file, with its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The kind of fault, such as `unknown-field`: stable, for tests and for searching.
    pub code: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The bytes of the file that are wrong.
    pub span: Range<usize>,
    /// What stands beside the excerpt; empty for nothing.
    pub label: String,
    /// Other places that belong to the fault, each with its label.
    pub also: Vec<(Range<usize>, String)>,
    /// One next act.
    pub help: Option<String>,
    /// How grave it is.
    pub grade: Grade,
}

/// How grave a problem is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grade {
    /// It has to be mended.
    Error,
    /// It should be looked at.
    Warning,
    /// It is good to know.
    Note,
}

impl Problem {
    /// Starts a problem with its kind, place and message.
    pub fn new(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        let message = message.into();
        let (label, also, help, grade) = (String::new(), Vec::new(), None, Grade::Error);
        Self { code, message, span, label, also, help, grade }
    }

    /// Says how grave it is: an error where nothing else is said.
    #[must_use]
    pub fn grade(mut self, grade: Grade) -> Self {
        self.grade = grade;
        self
    }

    /// Adds what stands beside the excerpt.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place.
    pub(crate) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong with one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    file_name: String,
    text: String,
    problems: Vec<Problem>,
}

impl Report {
    /// Collects the problems of a file, in the order of the file.
    pub fn new(file_name: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.start);
        Self { file_name: file_name.to_owned(), text: text.to_owned(), problems }
    }

    /// Gives the problems, first of the file first.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Draws the problems with excerpts of the file.
    pub fn render(&self, paint: Paint) -> String {
        let renderer = match paint {
            Paint::Colours => Renderer::styled().decor_style(DecorStyle::Unicode),
            Paint::Plain => Renderer::plain(),
        };
        let shown = self.problems.iter().take(MOST_SHOWN);
        let drawn = shown.map(|problem| self.draw(&renderer, problem));
        let mut all = drawn.collect::<Vec<_>>().join("\n\n");
        if self.problems.len() > MOST_SHOWN {
            all.push_str(&format!("\n\nand {} more", self.problems.len() - MOST_SHOWN));
        }
        all.push_str(&format!("\n\n{}: {}\n", self.file_name, self.count()));
        all
    }

    fn count(&self) -> String {
        let of = |(grade, word): (Grade, &str)| {
            let count = self.problems.iter().filter(|problem| problem.grade == grade).count();
            match count {
                0 => None,
                1 => Some(format!("1 {word}")),
                many => Some(format!("{many} {word}s")),
            }
        };
        let grades = [(Grade::Error, "error"), (Grade::Warning, "warning"), (Grade::Note, "note")];
        grades.into_iter().filter_map(of).collect::<Vec<_>>().join(", ")
    }

    fn draw(&self, renderer: &Renderer, problem: &Problem) -> String {
        let mut snippet = Snippet::source(self.text.as_str()).path(self.file_name.as_str());
        let primary = AnnotationKind::Primary.span(self.visible(&problem.span));
        snippet = snippet.annotation(primary.label(problem.label.as_str()));
        for (span, label) in &problem.also {
            let context = AnnotationKind::Context.span(self.visible(span));
            snippet = snippet.annotation(context.label(label.as_str()));
        }
        let level = match problem.grade {
            Grade::Error => Level::ERROR,
            Grade::Warning => Level::WARNING,
            Grade::Note => Level::NOTE,
        };
        let title = level.primary_title(problem.message.as_str()).id(problem.code);
        let mut group: Group<'_> = title.element(snippet);
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// Keeps a span inside the text, on the borders of characters, and on one line.
    fn visible(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.border(span.start);
        let end = self.border(span.end.max(start));
        let line = self.text[start..end].lines().next().unwrap_or_default();
        start..start + line.len()
    }

    fn border(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// Covers secret keys, letter by letter so that places stay: an excerpt must not spread a secret.
pub(crate) fn masked(text: &str) -> String {
    let mut parts = text.split(SECRET_KEY);
    let mut covered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
        covered.push_str(SECRET_KEY);
        covered.push_str(&"*".repeat(end));
        covered.push_str(&part[end..]);
    }
    covered
}

const SECRET_KEY: &str = "AGE-SECRET-KEY-";

/// Nobody reads more before mending the first.
const MOST_SHOWN: usize = 100;

/// Whether a report is drawn for a terminal or for a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paint {
    /// With colours and box-drawing characters.
    Colours,
    /// With plain characters only.
    Plain,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(Paint::Plain).trim_end())
    }
}

impl std::error::Error for Report {}
