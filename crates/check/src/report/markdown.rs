//! The report as Markdown, for a pull request or a ticket.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Answer, Finding, Report, Unknown, Verdict};

/// Writes a report as Markdown. What others named stands in spans of code, so that it is text and nothing
/// else.
pub fn markdown(report: &Report) -> String {
    let mut page = format!("# ringfort check\n\n{}.\n", report.in_a_line());
    if !report.left_out.is_empty() {
        page.push('\n');
    }
    report.left_out.iter().for_each(|it| line(&mut page, format_args!("- {}", it.in_a_line())));
    summary(report, &mut page);
    section(&mut page, "Findings", report.findings.len());
    report.findings.iter().for_each(|it| finding(it, None, &mut page));
    section(&mut page, "Unknown", report.unknown.len());
    report.unknown.iter().for_each(|it| unknown(it, &mut page));
    section(&mut page, "Waived", report.waived.len());
    for it in &report.waived {
        finding(&it.finding, Some(&waived(&it.waiver, code)), &mut page);
    }
    if let Some(compared) = &report.baseline {
        section(&mut page, "Gone", compared.gone.len());
        for it in &compared.gone {
            line(&mut page, format_args!("- {} at {}", code(&it.control), code(&it.said())));
        }
    }
    section(&mut page, "Not read", report.unread.len());
    report.unread.iter().for_each(|it| line(&mut page, format_args!("- {}", code(it))));
    page
}

pub(super) fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a text cannot fail.
    let _ = writeln!(page, "{text}");
}

pub(super) fn section(page: &mut String, title: &str, many: usize) {
    if many > 0 {
        line(page, format_args!("\n## {title} ({many})\n"));
    }
}

/// The controls that came to anything but a pass.
fn summary(report: &Report, page: &mut String) {
    let is_quiet = |verdict| matches!(verdict, Verdict::Pass | Verdict::NotApplicable);
    let mut loud = report.controls.iter().filter(|row| !is_quiet(row.verdict)).peekable();
    if loud.peek().is_none() {
        return;
    }
    page.push_str("\n| control | severity | verdict | failed | unknown | waived | passed |\n");
    page.push_str("|---|---|---|--:|--:|--:|--:|\n");
    for row in loud {
        let counts = &row.counts;
        line(
            page,
            format_args!(
                "| `{}` {} | {} | {} | {} | {} | {} | {} |",
                row.control,
                row.title,
                row.severity,
                row.verdict.word(),
                counts.failed,
                counts.unknown,
                counts.waived,
                counts.passed
            ),
        );
    }
}

fn finding(it: &Finding, also: Option<&str>, page: &mut String) {
    let (place, whose, field) =
        (code(&it.place.said()), code(&it.place.whose()), code(it.place.field()));
    line(page, format_args!("- **{}** `{}`: {}", it.severity, it.control, it.title));
    line(page, format_args!("  {place} {whose}, {field}"));
    if let Some(found) = &it.found {
        line(page, format_args!("  found: {}", code(found)));
    }
    // What is written for the place at hand may name something that others named.
    let fix = match &it.fix {
        Cow::Borrowed(words) => (*words).to_owned(),
        Cow::Owned(words) => code(words),
    };
    line(page, format_args!("  fix: {fix}"));
    if let Some(also) = also {
        line(page, format_args!("  {also}"));
    }
}

fn unknown(it: &Unknown, page: &mut String) {
    let control = it.control.unwrap_or("every control");
    line(
        page,
        format_args!("- `{control}` at {} {}", code(&it.place.said()), code(&it.place.whose())),
    );
    line(page, format_args!("  {}", code(&it.said)));
    line(page, format_args!("  to decide it: {}", code(&it.closes)));
}

/// Says who answers for something, in words that others wrote.
pub(super) fn waived(by: &Answer, code: impl Fn(&str) -> String) -> String {
    format!("waived by {} until {}: {}", code(&by.owner), by.expires, code(&by.reason))
}

/// Writes a text as a span of code that nothing in it can end.
pub(super) fn code(text: &str) -> String {
    let flat: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let flat = flat.trim();
    if flat.is_empty() {
        return "(none)".to_owned();
    }
    let longest = flat.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if flat.starts_with('`') || flat.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{flat}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn nothing_ends_a_span_of_code() {
        for (text, expected) in [
            ("a", "`a`"),
            ("a`b", "``a`b``"),
            ("``", "``` `` ```"),
            ("a\n# b\r", "`a # b`"),
            ("<img src=x onerror=1>@all", "`<img src=x onerror=1>@all`"),
            (" \n", "(none)"),
        ] {
            assert_eq!(code(text), expected, "{text:?}");
        }
    }
}
