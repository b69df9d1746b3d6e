//! Which control answers for which recommendation of a benchmark, as a page of Markdown.

use ringfort_check::benchmark::{self, Assessed, Kept, Row, rows};
use ringfort_check::cis;
use ringfort_check::nist::{self, CONTROLS};
use ringfort_check::profile::{BENCHMARKS, Benchmark, Cover};
use ringfort_check::stig::{self, REQUIREMENTS};

/// Writes the page.
pub(super) fn page() -> String {
    let count = |of: fn(&Row) -> bool| rows().filter(|row| of(row)).count();
    let covered = count(|row| matches!(row.kept, Kept::By(_)));
    let partly = count(|row| matches!(row.kept, Kept::Partly(..)));
    let otherwise = count(|row| matches!(row.kept, Kept::Otherwise(..)));
    let mut page = format!(
        "# {}: what is judged, and what ringfort's own clusters keep\n\n\
         The CIS Kubernetes Benchmark 2.0.1 has {} recommendations. Of each, `ringfort check` says what it comes to \
         on any cluster, from what the third column names. The last column says which control of ringfort \
         keeps it on clusters that ringfort made: {covered} are covered, {partly} partly, {otherwise} are met in \
         another way, and of the rest it says why there is no control. Numbers are the benchmark's, words are ours.\n",
        benchmark::NAME,
        rows().count(),
    );
    let mut section = "";
    for row in rows() {
        let its = benchmark::section(row.id);
        if its != section {
            section = its;
            let (number, _) = row.id.rsplit_once('.').unwrap_or((row.id, ""));
            page.push_str(&format!("\n## {number} {section}\n\n"));
            page.push_str("| | what holds | decided by | kept |\n|---|---|---|---|\n");
        }
        page.push_str(&line(row));
    }
    page
}

/// Writes the page of an earlier release of the benchmark.
pub(super) fn earlier() -> String {
    let count = |is_it: fn(&Kept) -> bool| rows().filter(|row| is_it(&row.kept)).count();
    let mut page = format!(
        "# {}: what is judged, and what ringfort's own clusters keep\n\n\
         The CIS Kubernetes Benchmark 1.12 has {} recommendations in its public encoding, each about what the \
         recommendation of 2.0.1 of its number is about: the row of that number decides it \
         ([cis-2.0.1](cis-2.0.1.md)). On clusters that ringfort made {} are covered, {} partly, {} are met in another \
         way, and {} are not. Numbers, and whether a program or a person assesses them, were read in {}; words are \
         ours.\n\n\
         | | what holds | assessed by | decided by | kept |\n|---|---|---|---|---|\n",
        cis::NAME,
        rows().count(),
        count(|kept| matches!(kept, Kept::By(_))),
        count(|kept| matches!(kept, Kept::Partly(..))),
        count(|kept| matches!(kept, Kept::Otherwise(..))),
        count(|kept| matches!(kept, Kept::Not(_))),
        cis::SOURCE,
    );
    for row in rows() {
        let who = match cis::assessed(row) {
            Assessed::Automated => "a program",
            Assessed::Manual => "a person",
        };
        let (needs, kept) = (row.needs(), kept(&row.kept));
        page.push_str(&format!("| {} | {} | {who} | {needs} | {kept} |\n", row.id, row.title));
    }
    page
}

/// Writes the page of DISA's requirements.
pub(super) fn requirements() -> String {
    let decided = REQUIREMENTS.iter().filter(|(_, _, answer)| !answer.rows().is_empty()).count();
    let mut page = format!(
        "# {}: what is judged, and what ringfort's own clusters keep\n\n\
         Of the {} requirements of DISA's Kubernetes Security Technical Implementation Guide that its public encoding \
         has, {decided} are decided by rows of `ringfort check` ([cis-2.0.1](cis-2.0.1.md)); of the rest the last column \
         says what keeps them on clusters that ringfort made, or why nothing does. Numbers are DISA's, read in {}; \
         words are ours. Later releases have fewer and other requirements.\n\n\
         | | what holds | decided by | kept |\n|---|---|---|---|\n",
        stig::NAME,
        REQUIREMENTS.len(),
        stig::SOURCE,
    );
    for (id, title, answer) in REQUIREMENTS {
        let rows: Vec<&str> = answer.rows().iter().map(|row| row.id).collect();
        let mut said: Vec<String> = answer.kept().iter().map(kept).collect();
        said.dedup();
        page.push_str(&format!(
            "| {id} | {title} | {} | {} |\n",
            if rows.is_empty() { "no row".to_owned() } else { rows.join(", ") },
            said.join("; "),
        ));
    }
    page
}

/// Writes the page of NIST's controls.
pub(super) fn controls() -> String {
    let mut page = format!(
        "# {}: what is judged, and what ringfort's own clusters keep\n\n\
         NIST SP 800-53 asks organisations; of a cluster it can be said only what DISA's Kubernetes guide puts under its \
         controls. These are the {} controls and enhancements under which the {} requirements of [{stig}]({stig}.md) stand, \
         by {}. The other controls of the catalogue are for people, or for what is around a cluster: nothing here speaks \
         of them. Under CM-6 stands what stands nowhere else.\n\n\
         | | what it is called | requirements | decided by | kept on clusters that ringfort made |\n|---|---|---|---|---|\n",
        nist::NAME,
        CONTROLS.len(),
        REQUIREMENTS.len(),
        nist::SOURCE,
        stig = stig::NAME,
    );
    for control in CONTROLS {
        let under = nist::requirements(control);
        let mut rows: Vec<&str> = Vec::new();
        for row in under.iter().flat_map(|(.., answer)| answer.rows()) {
            if !rows.contains(&row.id) {
                rows.push(row.id);
            }
        }
        let count = |is_it: fn(&Kept) -> bool| {
            under.iter().filter(|(.., answer)| answer.kept().iter().all(is_it)).count()
        };
        let covered = count(|kept| matches!(kept, Kept::By(_) | Kept::Otherwise(..)));
        let not = count(|kept| matches!(kept, Kept::Not(_)));
        let partly = under.len() - covered - not;
        let said = [(covered, "covered"), (partly, "partly"), (not, "not")];
        let said = said.iter().filter(|(count, _)| *count > 0);
        let said: Vec<String> = said.map(|(count, word)| format!("{count} {word}")).collect();
        page.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            control.0,
            control.1,
            control.2.join(", "),
            if rows.is_empty() { "no row".to_owned() } else { rows.join(", ") },
            said.join(", "),
        ));
    }
    page
}

/// Finds the benchmark of a profile that has a page of its own.
pub(super) fn profile(id: &str) -> Option<&'static Benchmark> {
    BENCHMARKS.iter().find(|it| it.id == id && !it.recommendations().is_empty())
}

/// Writes the page of a benchmark that is a profile of `ringfort check`.
pub(super) fn recommendations(benchmark: &Benchmark) -> String {
    let all = benchmark.recommendations();
    let count = |is_it: fn(&Cover) -> bool| all.iter().filter(|it| is_it(&it.cover)).count();
    let mut page = format!(
        "# {}: what is judged\n\n\
         Of its {} recommendations {} are covered, {} partly, {} otherwise and {} not. `ringfort check --profile {}` asks \
         manifests by the controls of the third column; clusters and machines are judged by the rows of the fourth \
         ([cis-2.0.1](cis-2.0.1.md)). The last column says how much of it that decides. Read in {}; words are \
         ours.\n\n\
         | | what holds | controls | rows | decided |\n|---|---|---|---|---|\n",
        benchmark.title,
        all.len(),
        count(|it| matches!(it, Cover::Covered)),
        count(|it| matches!(it, Cover::Partly(_))),
        count(|it| matches!(it, Cover::Otherwise(_))),
        count(|it| matches!(it, Cover::Not(_))),
        benchmark.id,
        benchmark.source,
    );
    for it in all {
        let controls: Vec<String> = it.controls.iter().map(|id| format!("`{id}`")).collect();
        let or_none = |words: Vec<String>| match words.is_empty() {
            true => "none".to_owned(),
            false => words.join(", "),
        };
        let rows = it.rows.iter().map(|id| (*id).to_owned()).collect();
        let cover = match it.cover {
            Cover::Covered => "covered".to_owned(),
            Cover::Partly(why) => format!("partly: {why}"),
            Cover::Otherwise(why) => format!("otherwise: {why}"),
            Cover::Not(why) => format!("not: {why}"),
        };
        let (controls, rows) = (or_none(controls), or_none(rows));
        page.push_str(&format!("| {} | {} | {controls} | {rows} | {cover} |\n", it.id, it.title));
    }
    page
}

fn kept(kept: &Kept) -> String {
    match kept {
        Kept::By(control) => format!("covered: `{control}`"),
        Kept::Partly(control, why) => format!("partly: `{control}`; {why}"),
        Kept::Otherwise(control, why) => format!("otherwise: `{control}`; {why}"),
        Kept::Not(why) => format!("not: {why}"),
    }
}

fn line(row: &Row) -> String {
    let kept = kept(&row.kept);
    let assessed = match row.assessed {
        Assessed::Automated => "",
        Assessed::Manual => ", left to people by the benchmark",
    };
    let level = if row.level == 2 { ", level 2" } else { "" };
    format!("| {} | {} | {}{assessed}{level} | {kept} |\n", row.id, row.title, row.needs())
}

#[cfg(test)]
mod tests {
    use ringfort_check::benchmark::{Kept, rows};
    use ringfort_check::guidelines;
    use ringfort_check::stig::REQUIREMENTS;
    use ringfort_controls::{CATALOGUE, Ref, find};

    /// An id that nobody has would promise what is not there.
    #[test]
    fn every_control_and_guideline_that_a_row_names_is_there() {
        for row in rows() {
            if let Some(id) = row.kept.control() {
                assert!(find(id).is_some(), "{} names {id}", row.id);
            }
            for id in row.guidelines().iter().filter(|id| **id != "restricted") {
                assert!(guidelines::find(id).is_some(), "{} names {id}", row.id);
            }
        }
    }

    #[test]
    fn every_control_that_a_requirement_names_is_there() {
        for (id, _, answer) in REQUIREMENTS {
            for control in answer.kept().iter().filter_map(Kept::control) {
                assert!(find(control).is_some(), "{id} names {control}");
            }
        }
    }

    /// A control that refers to another number than it means refers to what it is not about.
    #[test]
    fn what_a_control_refers_to_is_a_row_that_some_control_answers() {
        for control in CATALOGUE {
            for reference in control.refs {
                let Ref::Cis(id) = reference else { continue };
                let row = rows().find(|row| row.id == *id);
                let is_answered = row.is_some_and(|row| !matches!(row.kept, Kept::Not(_)));
                assert!(is_answered, "{} refers to {id}", control.id);
            }
        }
    }
}
