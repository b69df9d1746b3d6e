//! What stands on the page: how it went, what to look for, and a part for each control.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::{
    Completeness, Counts, Finding, Gone, Place, Report, Row, Since, Unknown, Verdict, Waived,
    sentence,
};

/// What belongs to a control.
#[derive(Default)]
struct Of<'r> {
    findings: Vec<&'r Finding>,
    unknown: Vec<&'r Unknown>,
    waived: Vec<&'r Waived>,
}

impl Of<'_> {
    fn is_quiet(&self) -> bool {
        self.findings.is_empty() && self.unknown.is_empty() && self.waived.is_empty()
    }
}

fn sorted(report: &Report) -> BTreeMap<&str, Of<'_>> {
    let mut all: BTreeMap<&str, Of<'_>> = BTreeMap::new();
    for it in &report.findings {
        all.entry(it.control).or_default().findings.push(it);
    }
    for it in &report.unknown {
        all.entry(it.control.unwrap_or_default()).or_default().unknown.push(it);
    }
    for it in &report.waived {
        all.entry(it.finding.control).or_default().waived.push(it);
    }
    all
}

pub(super) fn body(report: &Report) -> Markup {
    let mut of = sorted(report);
    let unreadable = of.remove("").unwrap_or_default();
    let rows = by_weight(report);
    let is_loud = |row: &&&Row| of.get(row.control).is_some_and(|it| !it.is_quiet());
    let (loud, quiet): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| is_loud(row));
    html! {
        a class="skip" href="#results" { "Skip to the results" }
        header {
            h1 { "ringfort check" }
            p class="lead" {
                (report.objects) " objects" (report.more()) ", " (report.controls.len()) " controls, "
                @match report.world {
                    Completeness::Closed if report.unread.is_empty() => { "all that there is" }
                    Completeness::Closed => { "all that there is but what was not read" }
                    Completeness::Open => { "others may be elsewhere" }
                }
                "."
                @if let Some(compared) = &report.baseline { " Since the run before: " (compared.in_a_line()) "." }
            }
            @for it in &report.left_out { p { (it.in_a_line()) } }
            (tally("Verdicts, one for each object and control", &counts(report)))
        }
        (contents(&loud))
        (narrowing(&choices(report)))
        main id="results" tabindex="-1" {
            @if !report.unread.is_empty() {
                section aria-labelledby="unread" {
                    h2 id="unread" { "Not read" }
                    p { "This could not be read, so that nothing is said of what is in it." }
                    ul { @for it in &report.unread { li { code { (it) } } } }
                }
            }
            @if !unreadable.is_quiet() {
                section class="control" aria-labelledby="unreadable" data-control="unreadable" {
                    h2 id="unreadable" { "Not as Kubernetes reads it" }
                    p { "Nothing passes of an object that cannot be read." }
                    (places(&unreadable))
                }
            }
            @for row in &loud { (control(row, of.get(row.control))) }
            p id="none" hidden { "Nothing here is like that." }
            @if let Some(compared) = &report.baseline { (gone(&compared.gone)) }
            @if !quiet.is_empty() {
                section aria-labelledby="quiet" {
                    h2 id="quiet" { "Controls without a finding" }
                    @for row in &quiet { (control(row, None)) }
                }
            }
        }
        footer { p { "Made by ringfort " (super::super::PROGRAM_VERSION) ". Profile: " (report.profile) "." } }
    }
}

/// The gravest first; what failed before what is unknown.
fn by_weight(report: &Report) -> Vec<&Row> {
    let mut rows: Vec<&Row> = report.controls.iter().collect();
    rows.sort_by(|a, b| {
        (a.verdict, b.severity, a.control).cmp(&(b.verdict, a.severity, b.control))
    });
    rows
}

fn counts(report: &Report) -> Counts {
    let mut all = Counts::default();
    report.controls.iter().for_each(|row| all.add(&row.counts));
    all
}

/// How often it came to what.
pub(in crate::report) fn tally(label: &str, counts: &Counts) -> Markup {
    let counts = [
        (Verdict::Fail, counts.failed),
        (Verdict::Unknown, counts.unknown),
        (Verdict::Waived, counts.waived),
        (Verdict::Pass, counts.passed),
        (Verdict::NotApplicable, counts.not_applicable),
    ];
    html! {
        dl class="tally" aria-label=(label) {
            @for (verdict, count) in counts {
                div class=(class(verdict)) { dt { (verdict.word()) } dd { (count) } }
            }
        }
    }
}

/// What results are narrowed down by, beside words. Hidden until the script that it needs runs.
pub(in crate::report) fn narrowing(choices: &Markup) -> Markup {
    html! {
        search {
            form id="filters" aria-label="Narrow down the results" hidden {
                div {
                    label for="words" { "Search" }
                    input id="words" type="search" autocomplete="off" spellcheck="false";
                }
                (choices)
                button type="reset" { "Show all" }
                p id="shown" role="status" {}
            }
        }
    }
}

/// One of several values of what the script knows by this id, with a word for each.
pub(in crate::report) fn choice<'o>(
    id: &str,
    name: &str,
    options: impl IntoIterator<Item = (&'o str, &'o str)>,
) -> Markup {
    html! {
        div {
            label for=(id) { (name) }
            select id=(id) {
                option value="" { "All" }
                @for (value, word) in options { option value=(value) { (word) } }
            }
        }
    }
}

fn choices(report: &Report) -> Markup {
    let verdicts = [("fail", "Failed"), ("unknown", "Unknown"), ("waived", "Waived")];
    let severities = ["critical", "high", "medium", "low"];
    let namespaces = report.namespaces();
    // A namespace is never named `-`.
    let named = [("-", "None")].into_iter().chain(namespaces.iter().map(|name| (*name, *name)));
    html! {
        (choice("verdict", "Verdict", verdicts))
        (choice("severity", "Severity", severities.map(|word| (word, word))))
        (choice("namespace", "Namespace", named))
        @if report.baseline.is_some() {
            (choice("since", "Since the run before", [("new", "New"), ("before", "Still there")]))
        }
    }
}

fn control(row: &Row, of: Option<&Of<'_>>) -> Markup {
    let Row { control, title, severity, verdict, counts, answers, about } = row;
    let quiet = of.is_none();
    let id = control.replace('/', "-");
    html! {
        article class="control" id=(id) aria-labelledby=(format!("{id}-title")) data-control=(control)
            data-severity=(severity) {
            @if quiet { h3 id=(format!("{id}-title")) { (title) } } @else { h2 id=(format!("{id}-title")) { (title) } }
            p class="marks" {
                (badge(*verdict))
                span class={ "grade " (severity) } { (severity) }
                a href={ "#" (id) } { code { (control) } }
                span class="counts" { (of_objects(counts)) }
            }
            @if !quiet && !about.why.is_empty() { p { strong { "Why it matters: " } (spans(&sentence(&about.why))) "." } }
            details {
                summary { "About " code { (control) } }
                (markdown(about.doc))
                @if !answers.is_empty() {
                    p class="part" { "Answers" }
                    ul class="answers" { @for it in answers { li { (it.benchmark) " " (it.id) } } }
                }
                @if !about.references.is_empty() {
                    p class="part" { "References" }
                    ul { @for it in &about.references { li { (reference(it)) } } }
                }
            }
            @if let Some(of) = of { (places(of)) }
        }
    }
}

/// Says of how many objects it comes to what, and nothing of what there is none of.
fn of_objects(counts: &Counts) -> String {
    let all = [
        (counts.failed, Verdict::Fail),
        (counts.unknown, Verdict::Unknown),
        (counts.waived, Verdict::Waived),
        (counts.passed, Verdict::Pass),
        (counts.not_applicable, Verdict::NotApplicable),
    ];
    let there = all.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> =
        there.map(|(count, verdict)| format!("{count} {}", verdict.word())).collect();
    if words.is_empty() {
        "no objects".to_owned()
    } else {
        format!("objects: {}", words.join(", "))
    }
}

/// The controls that something is said of, to go to them.
fn contents(loud: &[&Row]) -> Markup {
    html! {
        @if !loud.is_empty() {
            nav aria-label="Controls with something to look at" {
                details {
                    summary { "Controls with something to look at: " (loud.len()) }
                    ol {
                        @for row in loud {
                            li {
                                a href={ "#" (row.control.replace('/', "-")) } { (row.title) } " "
                                span class={ "grade " (row.severity) } { (row.severity) } " "
                                span class="counts" { (of_objects(&row.counts)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(in crate::report) fn badge(verdict: Verdict) -> Markup {
    html! { span class={ "badge " (class(verdict)) } { (verdict.word()) } }
}

/// How style and script know a verdict.
pub(in crate::report) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "fail",
        Verdict::Unknown => "unknown",
        Verdict::Waived => "waived",
        Verdict::Pass => "pass",
        Verdict::NotApplicable => "spared",
    }
}

fn reference(text: &str) -> Markup {
    html! {
        @if text.starts_with("https://") { a href=(text) rel="noreferrer" { (text) } } @else { (text) }
    }
}

fn places(of: &Of<'_>) -> Markup {
    html! {
        ul class="places" {
            @for it in &of.findings { (finding(it, "fail", None)) }
            @for it in &of.unknown { (unknown(it)) }
            @for it in &of.waived { (finding(&it.finding, "waived", Some(it))) }
        }
    }
}

fn finding(it: &Finding, verdict: &str, waived: Option<&Waived>) -> Markup {
    let shown = if waived.is_some() { Verdict::Waived } else { Verdict::Fail };
    html! {
        li data-verdict=(verdict) data-severity=(it.severity) data-namespace=(namespace(&it.place))
            data-since=[since(it.since)] {
            (place(&it.place, shown, it.since))
            dl {
                @if let Some(found) = &it.found { dt { "Found" } dd { code { (found) } } }
                dt { "To change" } dd { (it.fix) }
                @if let Some(Waived { waiver, .. }) = waived {
                    dt { "Waived" }
                    dd { (waiver.reason) " (" (waiver.owner) ", until " (waiver.expires) ")" }
                }
            }
        }
    }
}

fn unknown(it: &Unknown) -> Markup {
    html! {
        li data-verdict="unknown" data-namespace=(namespace(&it.place)) data-since=[since(it.since)] {
            (place(&it.place, Verdict::Unknown, it.since))
            dl {
                dt { "Not known" } dd { (it.said) }
                dt { "To decide it" } dd { (it.closes) }
            }
        }
    }
}

fn place(place: &Place, verdict: Verdict, was: Option<Since>) -> Markup {
    html! {
        p class="place" {
            (badge(verdict))
            @if was == Some(Since::New) { span class="badge new" { "new" } }
            span class="whose" { (place.whose()) }
            code { (place.said()) }
        }
        p class="field" { code { (place.field()) } }
    }
}

fn namespace(place: &Place) -> &str {
    place.namespace().unwrap_or("-")
}

fn since(since: Option<Since>) -> Option<&'static str> {
    since.map(|it| match it {
        Since::New => "new",
        Since::Before => "before",
    })
}

fn gone(gone: &[Gone]) -> Markup {
    html! {
        @if !gone.is_empty() {
            section aria-labelledby="gone" {
                h2 id="gone" { "Gone since the run before" }
                ul { @for it in gone { li { code { (it.control) } " " (it.said()) } } }
            }
        }
    }
}

/// Writes the pages of controls, which are headings, paragraphs, lists and spans of code.
fn markdown(page: &str) -> Markup {
    html! {
        @for block in page.split("\n\n").map(str::trim).filter(|it| !it.is_empty()) {
            @if let Some(heading) = block.strip_prefix("## ") { p class="part" { (heading) } }
            @else if block.starts_with("- ") {
                ul { @for item in format!("\n{block}").split("\n- ").skip(1) { li { (spans(item)) } } }
            }
            @else { p { (spans(block)) } }
        }
    }
}

fn spans(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
