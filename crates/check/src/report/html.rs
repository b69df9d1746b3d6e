//! The report as one page that needs nothing else: it is read without scripts, searched and filtered with
//! them, and refuses everything that it does not bring along.
//!
//! What others named is escaped by `maud`, in texts and attributes alike. Nothing here is written past it.

mod page;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::Report;
pub(super) use page::{badge, choice, class, narrowing, tally};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// Writes a report as a page.
pub fn html(report: &Report) -> String {
    document(&page::body(report))
}

/// Writes what is to be read as a page that brings its style and its script along.
pub(super) fn document(body: &Markup) -> String {
    let title = "ringfort check";
    let document: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    document.into_string() + "\n"
}

/// What the page may load and run: its own style and script, by what they are, and nothing else.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}
