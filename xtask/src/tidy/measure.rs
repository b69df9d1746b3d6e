//! The size of files and functions, and how much of them is documentation. Pure.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use super::Violation;
use super::source::{Source, end_of_item, is_only_tests};

/// No file may be longer.
const LONGEST_FILE: usize = 600;
/// No function should be longer; reported with the figures, not enforced.
const LONG_FUNCTION: usize = 80;

/// What was counted over all files.
#[derive(Default)]
pub(crate) struct Figures {
    files: Vec<usize>,
    functions: Vec<usize>,
    long_functions: Vec<String>,
    code_lines: usize,
    doc_lines: usize,
    expects: usize,
}

impl Figures {
    /// Counts a file; tests inside and beside it count for its length alone.
    pub(crate) fn add(&mut self, file: &Path, source: &Source) -> Option<Violation> {
        let length = source.lines().len();
        self.files.push(length);
        if !is_only_tests(file) {
            self.add_lines(source);
            self.add_functions(file, source);
        }
        (length > LONGEST_FILE).then(|| {
            let message = format!("{length} lines; split it, {LONGEST_FILE} is the most");
            Violation::new(file, length, message)
        })
    }

    fn add_lines(&mut self, source: &Source) {
        for line in source.lines().iter().filter(|line| !line.test) {
            self.doc_lines += usize::from(line.doc);
            self.code_lines += usize::from(!line.code.trim().is_empty());
            self.expects += line.code.matches(".expect(").count();
            self.expects += line.code.matches(".unwrap()").count();
        }
    }

    fn add_functions(&mut self, file: &Path, source: &Source) {
        let lines = source.lines();
        for (index, line) in lines.iter().enumerate() {
            if line.test || !begins_function(&line.code) {
                continue;
            }
            let length = end_of_item(lines, index) - index + 1;
            self.functions.push(length);
            if length > LONG_FUNCTION {
                let place = format!("{}:{}", file.display(), index + 1);
                self.long_functions.push(format!("  {place}: a function of {length} lines"));
            }
        }
    }
}

/// Whether a function is defined on this line.
fn begins_function(code: &str) -> bool {
    let words: Vec<_> = code.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| *word == "fn") else { return false };
    words[..at].iter().all(|word| {
        matches!(*word, "const" | "async" | "unsafe" | "extern" | "default")
            || word.starts_with("pub")
            || word.ends_with(')')
    })
}

impl Display for Figures {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<10} {:>6} {:>7} {:>5} {:>5}", "", "count", "median", "p90", "most")?;
        for (name, sizes) in [("files", &self.files), ("functions", &self.functions)] {
            let [median, p90, most] = quantiles(sizes);
            writeln!(out, "{name:<10} {:>6} {median:>7} {p90:>5} {most:>5}", sizes.len())?;
        }
        let percent = 100 * self.doc_lines / (self.doc_lines + self.code_lines).max(1);
        let per_thousand = 1000.0 * self.expects as f64 / self.code_lines.max(1) as f64;
        writeln!(out, "documentation {percent} %, unwrap and expect {per_thousand:.1} per kLOC")?;
        for function in &self.long_functions {
            writeln!(out, "{function}")?;
        }
        Ok(())
    }
}

/// Median, 90th percentile and the largest.
fn quantiles(sizes: &[usize]) -> [usize; 3] {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let at = |tenths: usize| {
        let last = sorted.len().saturating_sub(1);
        sorted.get(last * tenths / 10).copied().unwrap_or_default()
    };
    [at(5), at(9), at(10)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_and_function_types_are_not() {
        for code in ["fn a() {", "    pub(crate) const fn b(", "pub async fn c<T>()"] {
            assert!(begins_function(code), "{code}");
        }
        for code in ["    act: fn(&mut Scene) -> u8,", "let f: fn() = a;", "type F = fn (u8);"] {
            assert!(!begins_function(code), "{code}");
        }
    }

    #[test]
    fn a_file_over_the_limit_is_a_violation_and_one_at_the_limit_is_not() {
        let mut figures = Figures::default();
        let at = Source::new(&"\n".repeat(LONGEST_FILE));
        assert_eq!(figures.add(Path::new("a.rs"), &at), None);
        let over = Source::new(&"\n".repeat(LONGEST_FILE + 1));
        let violation = figures.add(Path::new("b.rs"), &over).unwrap();
        assert_eq!(violation.message, "601 lines; split it, 600 is the most");
    }

    #[test]
    fn quantiles_are_of_what_was_seen() {
        assert_eq!(quantiles(&[]), [0, 0, 0]);
        assert_eq!(quantiles(&[9, 1, 5]), [5, 5, 9]);
        assert_eq!(quantiles(&(1..=11).collect::<Vec<_>>()), [6, 10, 11]);
    }
}
