//! What rows of the benchmark come to, in every format: each verdict, and words that others chose.

use std::collections::BTreeSet;

use jiff::civil::date;
use ringfort_check::benchmark::{Judged, Looked, OfMachine, Waived, beyond, judge, rows};
use ringfort_check::report::{Counts, Rows, Said, Verdict};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};
use serde_json::{Value, json};

use super::{
    OSCAL, TODAY, below, counts_are_right, faults, outside_code, sarif_schema, unpacked, value,
};
use crate::machine::Facts;

const HOSTILE: &str = "</script><img src=x onerror=alert(1)>`|]](a)\\|@b \u{1b}[31m\n# c";

fn pass(said: &str) -> Judgement {
    Ok(Decided::Pass(Evidence::from_seen(said, vec![0]).unwrap()))
}

fn fail(said: &str) -> Judgement {
    Ok(Decided::Fail(Finding { said: said.to_owned(), fix: "--a=b|c".to_owned() }))
}

fn gap(said: &str) -> Judgement {
    Err(Gap { said: said.to_owned(), closes: "facts of every machine".to_owned() })
}

fn spared() -> Judgement {
    Ok(Decided::NotApplicable { reason: "it does not run here".to_owned() })
}

fn judged(id: &str, whole: Judgement, machines: &[(&str, Judgement)]) -> Judged {
    let on = machines.iter().map(|(machine, judgement)| OfMachine {
        machine: (*machine).to_owned(),
        judgement: judgement.clone(),
    });
    Judged {
        row: rows().find(|row| row.id == id).unwrap(),
        whole,
        machines: on.collect(),
        objects: Vec::new(),
        waived: None,
        example: None,
    }
}

/// A row of each verdict, and one that objects decide.
fn each() -> Vec<Judged> {
    let by = Waived {
        owner: "ann <a@b>".to_owned(),
        reason: HOSTILE.to_owned(),
        expires: date(2026, 12, 31),
    };
    vec![
        judged("1.1.1", pass(HOSTILE), &[("w1", pass("a")), ("w2", spared())]),
        judged("1.1.2", fail(HOSTILE), &[("w1", fail(HOSTILE)), ("w2", gap("closed"))]),
        // Nothing fails on the machine that was looked at; others were not.
        judged("1.2.1", gap(HOSTILE), &[("w1", pass("a"))]),
        Judged { waived: Some(by), ..judged("1.2.2", fail("b"), &[("w1", fail("b"))]) },
        judged("3.1.1", spared(), &[]),
        Judged {
            objects: vec![format!("Pod {HOSTILE}")],
            example: Some(json!({"kind": "Pod", "metadata": {"name": HOSTILE}})),
            ..judged("5.2.2", fail("c"), &[])
        },
    ]
}

/// Has something written of a row of each verdict.
fn written<T>(write: impl FnOnce(&Rows<'_>) -> T) -> T {
    let machines = ["w1".to_owned(), "w2".to_owned(), HOSTILE.to_owned()];
    let idle = [HOSTILE.to_owned()];
    write(&Rows { machines: &machines, judged: &each(), idle: &idle })
}

#[test]
fn each_row_counts_once() {
    let counts = Counts { passed: 1, failed: 2, unknown: 1, not_applicable: 1, waived: 1 };
    assert_eq!(written(|rows| rows.counts()), counts);
}

/// A row that no benchmark has is none of its counts, and has no level.
#[test]
fn what_is_asked_beyond_the_benchmark_counts_by_itself() {
    let row = beyond().next().unwrap();
    let own = Judged { row, ..judged("1.1.2", fail("a"), &[]) };
    let all = [judged("1.1.1", pass("a"), &[]), own];
    let rows = Rows { machines: &[], judged: &all, idle: &[] };
    let one = |passed, failed| Counts { passed, failed, ..Counts::default() };
    assert_eq!(rows.of_benchmark(), one(1, 0));
    assert_eq!(rows.beyond(), Some(one(0, 1)));
    assert_eq!(rows.counts(), one(1, 1));
    assert!(rows.in_a_line().contains("rows 1; passed 1, failed 0"), "{}", rows.in_a_line());
    assert_eq!(written(|rows| rows.beyond()), None);
    let levels = |text: &str| text.matches("level").count();
    let first = Rows { judged: &all[..1], ..rows };
    assert_eq!(levels(&rows.html()), levels(&first.html()));
    let oscal = |rows: &Rows<'_>| levels(&value(&rows.oscal(TODAY)).to_string());
    assert_eq!(oscal(&rows), oscal(&first));
}

#[test]
fn what_fails_on_a_machine_is_waived_with_its_row() {
    let all = each();
    let on = |row: usize, machine: usize| {
        let said = Said::of_machine(&all[row], &all[row].machines[machine]);
        (said.verdict, said.fix.is_some())
    };
    assert_eq!(on(3, 0), (Verdict::Waived, false));
    assert_eq!(on(1, 0), (Verdict::Fail, true));
    assert_eq!(on(1, 1), (Verdict::Unknown, false));
}

#[test]
fn sarif_of_rows_is_at_machines_and_objects() {
    let mut sarif = written(|rows| value(&rows.sarif()));
    assert_eq!(faults(&sarif_schema(), &sarif), Vec::<String>::new());
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    let of =
        |name: &str| -> Vec<&str> { results.iter().map(|it| it[name].as_str().unwrap()).collect() };
    let ids = ["1.1.2", "1.2.1", "1.2.2", "5.2.2"].map(|id| format!("cis-2.0.1/{id}"));
    assert_eq!(of("ruleId"), ids);
    assert_eq!(of("kind"), ["fail", "open", "fail", "fail"]);
    assert_eq!(of("level"), ["error", "none", "error", "error"]);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["ruleIndex"], json!(index));
        assert_eq!(result["ruleId"], run["tool"]["driver"]["rules"][index]["id"]);
        assert_eq!(result.get("suppressions").is_some(), index == 2);
    }
    let places = |index: usize| -> Vec<&str> {
        let all = results[index]["locations"].as_array().unwrap().iter();
        all.map(|it| it["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap()).collect()
    };
    assert_eq!(places(0), ["machine w1", "machine w2"]);
    assert_eq!(places(1), ["cluster"]);
    assert_eq!(places(2), ["machine w1"]);
    assert_eq!(places(3), ["cluster".to_owned(), format!("Pod {HOSTILE}")]);
    let paths = |index: usize| -> Vec<&str> {
        let all = results[index]["locations"].as_array().unwrap().iter();
        all.map(|it| &it["physicalLocation"]["artifactLocation"])
            .inspect(|it| assert_eq!(it["uriBaseId"], "CLUSTER"))
            .map(|it| it["uri"].as_str().unwrap())
            .collect()
    };
    assert_eq!(paths(0), ["machine/w1", "machine/w2"]);
    assert_eq!(paths(1), ["cluster"]);
    assert!(paths(3)[1].starts_with("object/Pod%20"), "{:?}", paths(3));
    // A row that is not known was not looked at, and is told beside the waiver that covers nothing.
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let levels = invocation["toolExecutionNotifications"].as_array().unwrap().iter();
    let levels: Vec<_> = levels.map(|it| it["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["error", "warning"]);
    let message = results[0]["message"]["text"].as_str().unwrap();
    assert!(message.contains("failed: ") && message.contains("\\]\\](a)"), "{message}");
    sarif["runs"][0]["results"][0]["level"] = json!("grave");
    assert_eq!(faults(&sarif_schema(), &sarif).len(), 1);
}

#[test]
fn oscal_of_rows_has_a_finding_for_each_that_decides_anything() {
    let schema = unpacked(OSCAL);
    let oscal = written(|rows| value(&rows.oscal(TODAY)));
    assert_eq!(faults(&schema, &oscal), Vec::<String>::new());
    let result = &oscal["assessment-results"]["results"][0];
    let observations = result["observations"].as_array().unwrap();
    let ids: BTreeSet<&str> = observations.iter().map(|it| it["uuid"].as_str().unwrap()).collect();
    // Of 1.2.1 there is one for the cluster beside that of its machine.
    assert_eq!((observations.len(), ids.len()), (9, 9));
    let findings = result["findings"].as_array().unwrap();
    let of = |it: &Value| it["target"]["status"]["state"].as_str().unwrap() == "satisfied";
    assert_eq!(findings.iter().map(of).collect::<Vec<_>>(), [true, false, false, false, false]);
    let mut related = 0;
    for it in findings.iter().flat_map(|it| it["related-observations"].as_array().unwrap()) {
        assert!(ids.contains(it["observation-uuid"].as_str().unwrap()), "{it}");
        related += 1;
    }
    assert_eq!(related, 8);
    let nothing = Rows { machines: &[], judged: &[], idle: &[] };
    assert_eq!(faults(&schema, &value(&nothing.oscal(TODAY))), Vec::<String>::new());
}

#[test]
fn junit_of_rows_has_a_suite_for_each_section() {
    let xml = written(|rows| rows.junit());
    let document = roxmltree::Document::parse(&xml).unwrap();
    counts_are_right(&document);
    let root = document.root_element();
    let suites = root.children().filter(|it| it.has_tag_name("testsuite"));
    let names: Vec<&str> = suites.map(|it| it.attribute("name").unwrap()).collect();
    let numbers: Vec<&str> = names.iter().map(|it| it.split(' ').next().unwrap()).collect();
    assert_eq!(numbers, ["1.1", "1.2", "3.1", "5.2", "waivers"]);
    assert_eq!(names[1], "1.2 API server");
    let counts = ["testcase", "failure", "error", "skipped"].map(|name| below(root, name));
    assert_eq!(counts, ["7", "2", "1", "3"]);
    let failure = document.descendants().find(|it| it.has_tag_name("failure")).unwrap();
    let text = failure.text().unwrap();
    assert!(text.contains("machine w2: unknown: closed; to decide it: facts"), "{text}");
}

#[test]
fn markdown_of_rows_has_a_table_for_each_section() {
    let page = written(|rows| rows.markdown());
    assert!(page.contains("\n## 1.2 API server (2)\n"), "{page}");
    for line in page.lines() {
        let outside = outside_code(line);
        assert!(!outside.contains(['<', '@']), "{line}: {outside}");
        if line.starts_with("| ") {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 6, "{line}");
        }
    }
    assert_eq!(page.lines().filter(|line| line.starts_with("| row ")).count(), 4);
    assert!(page.contains("| `b` | waived by `ann <a@b>` until 2026-12-31: "), "{page}");
    assert!(page.contains("| `c` | fix: `--a=b\\|c` |"), "{page}");
    assert!(page.contains("- 5.2.2, this pod is let in: "), "{page}");
}

#[test]
fn a_page_of_rows_is_text_and_knows_no_severity() {
    let page = written(|rows| rows.html());
    assert!(!page.contains("<img") && !page.contains("unsafe"));
    for own in ["<script", "</script", "<style", "</style"] {
        assert_eq!(page.matches(own).count(), 1, "{own}");
    }
    assert!(page.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"));
    assert!(!page.contains("severity"));
    for there in [
        "id=\"verdict\"",
        "id=\"section\"",
        "id=\"machine\"",
        "data-section=\"1.2 API server\"",
        "data-verdict=\"waived\" data-machine=\"w1\"",
    ] {
        assert!(page.contains(there), "{there}");
    }
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let all = || {
        written(|rows| {
            let json = [value(&rows.sarif()), value(&rows.oscal(TODAY))].map(|it| it.to_string());
            (json, rows.junit(), rows.markdown(), rows.html())
        })
    };
    assert_eq!(all(), all());
}

#[test]
fn all_rows_of_a_machine_are_as_the_schemas_say() {
    let facts = Facts::of_blueprint().read();
    let machines = [Machine::new(&facts, None)];
    let judged = judge(&Looked { machines: &machines, ..Looked::default() });
    let names = ["cp1".to_owned()];
    let all = Rows { machines: &names, judged: &judged, idle: &[] };
    assert_eq!(faults(&sarif_schema(), &value(&all.sarif())), Vec::<String>::new());
    assert_eq!(faults(&unpacked(OSCAL), &value(&all.oscal(TODAY))), Vec::<String>::new());
    let xml = all.junit();
    let document = roxmltree::Document::parse(&xml).unwrap();
    counts_are_right(&document);
    assert_eq!(below(document.root_element(), "testcase"), judged.len().to_string());
}
