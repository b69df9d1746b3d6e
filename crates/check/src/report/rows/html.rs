//! Rows as one page, of the look of that of manifests.

use maud::{Markup, html};

use super::{Rows, Said, Spot, is_loud, section, spots};
use crate::benchmark::{Judged, is_beyond};
use crate::report::html::{badge, choice, class, document, narrowing, tally};
use crate::report::{PROGRAM_VERSION, Verdict};

impl Rows<'_> {
    /// Writes them as one page that needs nothing else.
    pub fn html(&self) -> String {
        document(&body(self))
    }
}

fn body(rows: &Rows<'_>) -> Markup {
    let mut sorted: Vec<(Verdict, &Judged)> =
        rows.judged.iter().map(|it| (Said::of_row(it).verdict, it)).collect();
    sorted.sort_by_key(|(verdict, _)| *verdict);
    let (loud, quiet): (Vec<_>, Vec<_>) =
        sorted.into_iter().partition(|(verdict, _)| is_loud(*verdict));
    html! {
        a class="skip" href="#results" { "Skip to the results" }
        header {
            h1 { "ringfort check" }
            p class="lead" { (rows.in_a_line()) "." }
            (tally("Verdicts, one for each row", &rows.counts()))
        }
        (narrowing(&choices(rows)))
        main id="results" tabindex="-1" {
            @if !rows.idle.is_empty() {
                section aria-labelledby="waivers" {
                    h2 id="waivers" { "Waivers" }
                    ul { @for it in rows.idle { li { (it) } } }
                }
            }
            @for (verdict, judged) in &loud { (row(*verdict, judged)) }
            p id="none" hidden { "Nothing here is like that." }
            @if !quiet.is_empty() {
                section aria-labelledby="quiet" {
                    h2 id="quiet" { "Rows without a finding" }
                    @for (verdict, judged) in &quiet { (row(*verdict, judged)) }
                }
            }
        }
        footer { p { "Made by ringfort " (PROGRAM_VERSION) "." } }
    }
}

fn choices(rows: &Rows<'_>) -> Markup {
    let verdicts = [
        (class(Verdict::Fail), "Failed"),
        (class(Verdict::Unknown), "Unknown"),
        (class(Verdict::Waived), "Waived"),
        (class(Verdict::Pass), "Passed"),
        (class(Verdict::NotApplicable), "Not applicable"),
    ];
    let sections: Vec<String> = rows.sections().map(|(section, _)| section).collect();
    html! {
        (choice("verdict", "Verdict", verdicts))
        (choice("section", "Section", same(&sections)))
        @if !rows.machines.is_empty() { (choice("machine", "Machine", same(rows.machines))) }
    }
}

/// Names that are their own words.
fn same(names: &[String]) -> impl Iterator<Item = (&str, &str)> {
    names.iter().map(|name| (name.as_str(), name.as_str()))
}

fn row(verdict: Verdict, judged: &Judged) -> Markup {
    let (row, section) = (judged.row, section(judged));
    let id = format!("row-{}", row.id);
    let title = format!("{id}-title");
    html! {
        article class="control" id=(id) aria-labelledby=(title) data-control=(row.id) data-section=(section) {
            @if is_loud(verdict) { h2 id=(title) { (row.title) } } @else { h3 id=(title) { (row.title) } }
            p class="marks" {
                (badge(verdict))
                a href={ "#" (id) } { code { (row.id) } }
                span class="counts" { (section) @if !is_beyond(row.id) { ", level " (row.level) } }
            }
            @if let Some(by) = &judged.waived {
                p { strong { "Waived: " } (by.reason) " (" (by.owner) ", until " (by.expires.to_string()) ")" }
            }
            ul class="places" { @for it in spots(judged) { (place(&it)) } }
            @if let Some(pod) = &judged.example {
                details {
                    summary { "A pod that is let in" }
                    p { code { (pod.to_string()) } }
                }
            }
        }
    }
}

fn place(spot: &Spot<'_>) -> Markup {
    let Said { verdict, said, fix, closes } = &spot.said;
    html! {
        li data-verdict=(class(*verdict)) data-machine=[spot.machine] {
            p class="place" {
                (badge(*verdict))
                span class="whose" { (spot.place()) }
            }
            dl {
                @if *verdict == Verdict::Unknown { dt { "Not known" } } @else { dt { "Seen" } }
                dd { (said) }
                @if let Some(fix) = fix { dt { "To change" } dd { (fix) } }
                @if let Some(closes) = closes { dt { "To decide it" } dd { (closes) } }
            }
        }
    }
}
