//! Reports: what they say, in every format, of objects that others named as they liked.

mod rows;
mod unseen;

use std::io::Read as _;
use std::sync::Arc;

use jiff::civil::{Date, date};
use ringfort_check::guidelines::GUIDELINES;
use ringfort_check::outline::{Outline, outline};
use ringfort_check::profile::Profile;
use ringfort_check::report::{
    Asked, Baseline, Detail, FailOn, InFile, InObject, Locate, Located, Named, OnNode, Oscal, Part,
    Place, Report, Sarif, Since, Span, Verdict, Whose, html, junit, markdown,
};
use ringfort_check::texts::Texts;
use ringfort_check::waivers::{Waiver, Waivers};
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest::{self, Document, Lines};
use serde_json::{Value, json};

const GOOD: &str = include_str!("worlds/good.yaml");
const BAD: &str = include_str!("worlds/bad.yaml");
const TODAY: Date = date(2026, 5, 31);

/// Files that are held whole.
struct Files<'t>(Vec<(&'t str, &'t str, Vec<Document>)>);

impl Locate for &Files<'_> {
    fn locate(&mut self, origin: Origin, pointer: &str) -> Located {
        let (name, text, documents) = &self.0[origin.file];
        let document = &documents[origin.document];
        let place = document.place(pointer);
        let (start, end) = (
            Lines::new(text).position(place.value.start),
            Lines::new(text).position(place.value.end),
        );
        let short = |number: usize| u32::try_from(number).unwrap();
        let span = Span {
            line: short(start.line),
            column: short(start.column),
            end_line: short(end.line),
            end_column: short(end.column),
            offset: short(place.value.start),
            length: short(place.value.len()),
        };
        let missing = &pointer[place.pointer.len()..];
        Located {
            file: Arc::from(*name),
            span,
            missing: (!missing.is_empty()).then(|| missing.into()),
            named: Named::of(document.value(), pointer),
        }
    }
}

fn report(files: &[(&str, &str)], waivers: &[Waiver], detail: Detail) -> Report {
    report_beside(&[], files, waivers, detail)
}

fn report_beside(
    unread: &[&str],
    files: &[(&str, &str)],
    waivers: &[Waiver],
    detail: Detail,
) -> Report {
    let files = Files(
        files.iter().map(|&(name, text)| (name, text, manifest::read(text).unwrap())).collect(),
    );
    let outlines: Vec<Vec<Outline>> = files
        .0
        .iter()
        .map(|(_, text, _)| {
            let documents = manifest::read(text).unwrap().into_iter();
            documents.map(|it| outline(it.into_value(), Texts::Written)).collect()
        })
        .collect();
    let mut objects = Objects::new(World::Closed, None);
    for (file, documents) in outlines.iter().enumerate() {
        for (document, value) in documents.iter().enumerate() {
            objects.add_outline(Origin { file, document }, value);
        }
    }
    let all = waivers.iter().map(|waiver| (in_waivers(), waiver.clone())).collect();
    let waivers = (!waivers.is_empty()).then_some(Waivers { all, today: TODAY });
    let asked =
        Asked { objects: &objects, controls: GUIDELINES, waivers: waivers.as_ref(), detail };
    let mut part = Part::default();
    objects.unjudged().for_each(|it| part.add_unjudged(it, &mut &files));
    for number in 0..objects.iter().count() {
        let Origin { file, document } = objects.get(number).origin;
        part.add(&asked, number, files.0[file].2[document].value(), &mut &files);
    }
    let mut report = Report::new(World::Closed, Profile::All, GUIDELINES);
    report.unread = unread.iter().map(|it| (*it).to_owned()).collect();
    report.put_together([part], waivers.as_ref(), detail);
    report
}

fn in_waivers() -> Place {
    let object = Whose { kind: String::new(), namespace: None, name: String::new() };
    let at = InObject {
        object: Arc::new(object),
        container: None,
        pointer: "/waivers/0".into(),
        field: "waivers.0".into(),
        missing: None,
        named: "waivers".into(),
    };
    let span = Span { line: 1, column: 1, end_line: 1, end_column: 2, offset: 0, length: 1 };
    Place::File(InFile { file: Arc::from("waivers.yaml"), span, document: 0, at })
}

/// A pod that others named so that a careless page runs it, a table breaks, and a file ends early.
const HOSTILE: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: "</script><img src=x onerror=alert(1)>`|]]>\u0001\u001b[31m"
  namespace: "\"><svg onload=alert(2)>&amp;"
spec:
  hostPID: true
  containers:
  - name: "a' onfocus='x"
    image: "</code></li><script>alert(3)</script>:latest"
---
apiVersion: "</title><script>"
kind: "<b>Odd</b>"
"#;

const HOSTILE_FILE: &str = "</style><script>alert(4)</script> ü:|`.yaml";

/// Everything that a report can hold at once.
fn full() -> Report {
    let mut waiver =
        waiver("workload/own-process-namespace", Some("\"><svg onload=alert(2)>&amp;"));
    waiver.reason = "</dd><script>alert(5)</script>".to_owned();
    waiver.owner = "<img src=x>@team".to_owned();
    let ended = Waiver { expires: date(2026, 5, 30), ..waiver.clone() };
    let mut report = report_beside(
        &["<i>lost</i>.yaml: it cannot be read"],
        &[(HOSTILE_FILE, HOSTILE), ("bad.yaml", BAD), ("good.yaml", GOOD)],
        &[waiver, ended],
        Detail::All,
    );
    let object = Whose { kind: "Role".into(), namespace: Some("a".into()), name: "b".into() };
    let live = InObject {
        object: Arc::new(object),
        container: None,
        pointer: "/rules/0".into(),
        field: "Role.rules[0]".into(),
        missing: None,
        named: "/rules/0".into(),
    };
    let on_node = |file: Option<&str>, line| {
        let file = file.map(Arc::from);
        Place::Node(OnNode { node: "cp1".into(), file, line, field: "--anonymous-auth".into() })
    };
    let places = [
        Place::Api(live),
        on_node(None, None),
        on_node(Some("/etc/kubernetes/a b.yaml"), Some(3)),
        on_node(Some("/etc/kubernetes"), None),
    ];
    for place in places {
        report
            .findings
            .push(ringfort_check::report::Finding { place, ..report.findings[0].clone() });
    }
    report
}

fn waiver(control: &str, namespace: Option<&str>) -> Waiver {
    let mut waiver =
        json!({"control": control, "reason": "moves", "owner": "ann", "expires": "2026-05-31"});
    if let Some(name) = namespace {
        waiver["scope"] = json!({"namespaces": [name]});
    }
    serde_json::from_value(waiver).unwrap()
}

fn value(it: &impl serde::Serialize) -> Value {
    serde_json::to_value(it).unwrap()
}

/// The official schemas: SARIF's by OASIS, as the crate serde-sarif 0.8 carries it; OSCAL's 1.2.3 by NIST,
/// which is in the public domain.
const SARIF: &[u8] = include_bytes!("../schemas/sarif-2.1.0.json.gz");
const OSCAL: &[u8] = include_bytes!("../schemas/oscal-assessment-results.json.gz");

/// Gives what is wrong with a document by a schema, formats included.
fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    validator.iter_errors(document).map(|it| format!("{} at {}", it, it.instance_path())).collect()
}

fn unpacked(schema: &[u8]) -> Value {
    let mut text = String::new();
    flate2::read::GzDecoder::new(schema).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn sarif_schema() -> Value {
    let mut schema = unpacked(SARIF);
    // Its pattern of languages is no regular expression as JSON Schema has them; no language is written.
    for of in ["run", "toolComponent"] {
        let properties = &mut schema["definitions"][of]["properties"];
        assert!(properties["language"].as_object_mut().unwrap().shift_remove("pattern").is_some());
    }
    schema
}

#[test]
fn sarif_is_as_its_schema_says() {
    let schema = sarif_schema();
    let mut sarif = value(&Sarif(&full()));
    assert_eq!(faults(&schema, &sarif), Vec::<String>::new());
    let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
    let kinds = |kind: &str| results.iter().filter(|it| it["kind"] == kind).count();
    let report = full();
    assert_eq!(kinds("fail"), report.findings.len() + report.waived.len());
    assert_eq!(kinds("open"), report.unknown.len());
    assert!(kinds("open") > 0 && !report.waived.is_empty());
    for result in &results {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], sarif["runs"][0]["tool"]["driver"]["rules"][rule]["id"]);
    }
    let suppressed = results.iter().filter(|it| it.get("suppressions").is_some()).count();
    assert_eq!(suppressed, report.waived.len());
    sarif["runs"][0]["results"][0]["level"] = json!("grave");
    assert_eq!(faults(&schema, &sarif).len(), 1);
}

#[test]
fn a_region_of_sarif_is_what_stands_in_the_file() {
    let report = report(&[("bad.yaml", BAD)], &[], Detail::Wrong);
    let sarif = value(&Sarif(&report));
    let mut seen = 0;
    for result in sarif["runs"][0]["results"].as_array().unwrap() {
        let physical = &result["locations"][0]["physicalLocation"];
        let region = &physical["region"];
        let number = |name: &str| usize::try_from(region[name].as_u64().unwrap()).unwrap();
        assert_eq!(
            physical["artifactLocation"],
            json!({"uri": "bad.yaml", "uriBaseId": "SRCROOT"})
        );
        let before = &BAD[..number("byteOffset")];
        assert_eq!(number("startLine"), before.matches('\n').count() + 1);
        assert!(number("byteOffset") + number("byteLength") <= BAD.len());
        seen += 1;
    }
    assert!(seen > 90, "{seen}");
}

#[test]
fn oscal_is_as_its_schema_says() {
    let schema = unpacked(OSCAL);
    let report = full();
    let mut oscal = value(&Oscal { report: &report, day: TODAY });
    assert_eq!(faults(&schema, &oscal), Vec::<String>::new());
    let result = &oscal["assessment-results"]["results"][0];
    let observations = result["observations"].as_array().unwrap().len();
    let places = report.findings.len() + report.waived.len() + report.unknown.len();
    assert_eq!(observations, places + report.unread.len());
    let empty = Report::new(World::Open, Profile::All, &[]);
    assert_eq!(
        faults(&schema, &value(&Oscal { report: &empty, day: TODAY })),
        Vec::<String>::new()
    );
    oscal["assessment-results"]["uuid"] = json!("none");
    assert_eq!(faults(&schema, &oscal).len(), 1);
}

#[test]
fn the_json_is_as_its_own_schema_says() {
    let schema = value(&ringfort_check::report::schema());
    let mut all = full();
    let before = Baseline::read(&serde_json::to_string(&all).unwrap()).unwrap();
    all.compare(&before, &[]);
    let json = value(&all);
    assert_eq!(faults(&schema, &json), Vec::<String>::new());
    let mut changed = json.clone();
    changed["findings"][0]["severity"] = json!("grave");
    assert!(!faults(&schema, &changed).is_empty());
    changed = json;
    changed["findings"][0].as_object_mut().unwrap().shift_remove("line");
    assert!(!faults(&schema, &changed).is_empty(), "a place in a file has a line");
}

fn below(node: roxmltree::Node<'_, '_>, name: &str) -> String {
    node.descendants().filter(|it| it.has_tag_name(name)).count().to_string()
}

fn counts_are_right(document: &roxmltree::Document<'_>) {
    assert!(document.root_element().has_tag_name("testsuites"));
    for counted in document.descendants().filter(|it| it.tag_name().name().starts_with("testsuite"))
    {
        for (count, name) in [
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ] {
            assert_eq!(
                counted.attribute(count),
                Some(below(counted, name).as_str()),
                "{counted:?}"
            );
        }
    }
}

/// What the XML schema of Jenkins' xUnit plugin (junit-10.xsd) asks of elements and attributes that are
/// used here.
#[test]
fn junit_is_as_build_servers_read_it() {
    let report = full();
    let xml = junit(&report);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let root = document.root_element();
    counts_are_right(&document);
    let cases = || document.descendants().filter(|it| it.has_tag_name("testcase"));
    for case in cases() {
        let names: Vec<&str> = case.attributes().map(|it| it.name()).collect();
        assert!(names.starts_with(&["name", "classname"]), "{names:?}");
        assert!(case.children().filter(|it| it.is_element()).count() <= 1, "{case:?}");
    }
    let failures: usize = below(root, "failure").parse().unwrap();
    assert_eq!(failures, report.findings.len());
    assert_eq!(below(root, "error"), (report.unknown.len() + report.unread.len()).to_string());
    let hostile = cases().find(|it| it.attribute("file") == Some(HOSTILE_FILE)).unwrap();
    assert!(hostile.attribute("name").unwrap().contains("</script><img"), "{hostile:?}");
}

/// Looks for what a browser would take for markup: everything that others named must be text.
#[test]
fn nothing_that_others_named_is_markup() {
    let page = html(&full());
    for wrong in ["<img", "<svg", "<i>lost", "<b>Odd", "alert(1)>`", "onfocus='"] {
        assert!(!page.contains(wrong), "{wrong} stands in the page");
    }
    for own in ["<script", "</script", "<style", "</style"] {
        assert_eq!(page.matches(own).count(), 1, "{own}");
    }
    assert!(!page.contains("unsafe") && !page.contains(" style=") && !page.contains(" onclick"));
    assert!(
        page.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"),
        "it is there as text"
    );
    let text = markdown(&full());
    for line in text.lines() {
        let outside = outside_code(line);
        assert!(!outside.contains(['<', '|', '@']) || line.starts_with('|'), "{line}: {outside}");
    }
    assert!(text.contains("alert(3)"));
}

/// Gives what of a line of Markdown stands in no span of code: one ends at as many strokes as it begins with.
fn outside_code(line: &str) -> String {
    let fence = |text: &str| text.len() - text.trim_start_matches('`').len();
    let (mut outside, mut rest) = (String::new(), line);
    while let Some((before, _)) = rest.split_once('`') {
        outside.push_str(before);
        let strokes = fence(&rest[before.len()..]);
        let inside = &rest[before.len() + strokes..];
        let end = (0..inside.len())
            .filter(|at| inside.is_char_boundary(*at))
            .find(|at| fence(&inside[*at..]) == strokes && !inside[..*at].ends_with('`'));
        rest = &inside[end.unwrap() + strokes..];
    }
    outside + rest
}

#[test]
fn a_page_runs_its_own_script_and_style_and_nothing_else() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let page = html(&full());
    let within = |tag: &str| {
        let (_, rest) = page.split_once(&format!("<{tag}>")).unwrap();
        rest.split_once(&format!("</{tag}>")).unwrap().0
    };
    let (_, policy) = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"").unwrap();
    let (policy, _) = policy.split_once('"').unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for tag in ["style", "script"] {
        let digest = sha2::Sha256::digest(within(tag));
        let hash = base64::prelude::BASE64_STANDARD.encode(digest);
        assert!(policy.contains(&format!("{tag}-src 'sha256-{hash}'")), "{tag}: {policy}");
    }
}

#[test]
fn the_same_objects_give_the_same_bytes() {
    let written = || {
        let report = full();
        let json =
            [value(&report), value(&Sarif(&report)), value(&Oscal { report: &report, day: TODAY })];
        (json.map(|it| it.to_string()), junit(&report), html(&report), markdown(&report))
    };
    assert_eq!(written(), written());
}

/// What others may rest on is all in outlines: with them each object comes to what it comes to with all.
#[test]
fn an_outline_says_of_others_what_the_whole_says() {
    use ringfort_check::judge::{judge, judge_whole};
    let mut compared = 0;
    for text in [GOOD, BAD, HOSTILE] {
        let whole: Vec<Value> =
            manifest::read(text).unwrap().into_iter().map(Document::into_value).collect();
        let outlines: Vec<Outline> =
            whole.iter().cloned().map(|it| outline(it, Texts::Written)).collect();
        for world in [World::Closed, World::Open] {
            let (mut of_all, mut of_outlines) =
                (Objects::new(world, None), Objects::new(world, None));
            for (document, (value, outlined)) in whole.iter().zip(&outlines).enumerate() {
                of_all.add(Origin { file: 0, document }, value);
                of_outlines.add_outline(Origin { file: 0, document }, outlined);
            }
            assert_eq!(of_all.unjudged().count(), of_outlines.unjudged().count());
            for number in 0..of_all.iter().count() {
                let document = &whole[of_all.get(number).origin.document];
                let (a, b) = (
                    judge(&of_all, number, GUIDELINES),
                    judge_whole(&of_outlines, number, document, GUIDELINES),
                );
                assert_eq!(format!("{a:?}"), format!("{b:?}"));
                compared += a.judgements.len();
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

fn fingerprints(text: &str) -> Vec<String> {
    let report = report(&[("a.yaml", text)], &[], Detail::Wrong);
    report.findings.iter().map(|it| it.fingerprint.to_string()).collect()
}

fn of_container(text: &str, name: &str) -> Vec<String> {
    let report = report(&[("a.yaml", text)], &[], Detail::Wrong);
    let is_its = |place: &Place| place.object().unwrap().container.as_deref() == Some(name);
    let its = report.findings.iter().filter(|it| is_its(&it.place));
    its.map(|it| it.fingerprint.to_string()).collect()
}

const TWO: &str = "
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop }
spec:
  containers:
  - { name: one, image: one }
  - { name: two, image: two }
";

#[test]
fn fingerprints_stay_when_lines_and_containers_move() {
    let before = fingerprints(TWO);
    let mut sorted = before.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), before.len(), "no two findings have one fingerprint");
    let moved = TWO.replace("spec:", "# why\n\nspec:").replace("image: one", "image:   another");
    assert_eq!(fingerprints(&moved), before);
    let more = TWO.replace("  - { name: one", "  - { name: zero, image: zero }\n  - { name: one");
    assert!(of_container(&more, "one").len() > 3);
    for name in ["one", "two"] {
        assert_eq!(of_container(&more, name), of_container(TWO, name), "{name} has moved");
    }
    let renamed = fingerprints(&TWO.replace("name: web", "name: api"));
    assert!(before.iter().all(|it| !renamed.contains(it)));
}

#[test]
fn what_is_there_twice_is_found_twice() {
    let twice = format!("{TWO}---{TWO}");
    let all = fingerprints(&twice);
    let once: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(once.len(), all.len());
}

#[test]
fn what_was_not_looked_at_is_not_gone() {
    let before = report(&[("a.yaml", TWO)], &[], Detail::Wrong);
    let baseline = Baseline::read(&serde_json::to_string(&before).unwrap()).unwrap();
    let gone = |unlisted: &[&str]| {
        let mut now = report(&[], &[], Detail::Wrong);
        now.compare(&baseline, unlisted);
        now.baseline.unwrap().gone.len()
    };
    let kind = before.findings.iter().find_map(|it| match &it.place {
        Place::File(place) => Some(place.at.object.kind.clone()),
        _ => None,
    });
    assert_eq!(gone(&[]), before.findings.len());
    assert_eq!(gone(&["Role"]), before.findings.len());
    assert!(gone(&[&kind.unwrap()]) < before.findings.len());
}

#[test]
fn a_run_says_what_is_new_gone_and_still_there() {
    let before = report(&[("a.yaml", TWO)], &[], Detail::Wrong);
    let baseline = Baseline::read(&serde_json::to_string(&before).unwrap()).unwrap();
    let mut same = report(&[("a.yaml", TWO)], &[], Detail::Wrong);
    same.compare(&baseline, &[]);
    let compared = same.baseline.as_ref().unwrap();
    assert_eq!((compared.new, compared.still, compared.gone.len()), (0, before.findings.len(), 0));
    assert_eq!((same.code(FailOn::Any), same.code(FailOn::New)), (1, 0));
    let changed = TWO
        .replace("spec:", "spec:\n  hostPID: true")
        .replace("  - { name: two, image: two }\n", "");
    let mut after = report(&[("a.yaml", &changed)], &[], Detail::Wrong);
    after.compare(&baseline, &[]);
    let compared = after.baseline.as_ref().unwrap();
    assert!(compared.gone.iter().all(|it| it.field.contains("containers[1]")), "{compared:?}");
    assert!(!compared.gone.is_empty());
    let new: Vec<_> = after.findings.iter().filter(|it| it.since == Some(Since::New)).collect();
    assert_eq!(new.len(), compared.new);
    assert!(new.iter().any(|it| it.control == "workload/own-process-namespace"));
    assert_eq!(after.code(FailOn::New), 1);
    for wrong in
        ["", "[]", "{\"version\": 1}", "{\"version\": 9, \"findings\": [], \"unknown\": []}"]
    {
        assert!(Baseline::read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_waived_is_no_finding_and_waivers_are_judged() {
    let control = "workload/non-root";
    let of_one = |scope: Value| {
        let mut waiver = value(
            &json!({"control": control, "reason": "r", "owner": "o", "expires": "2026-05-31"}),
        );
        waiver["scope"] = scope;
        serde_json::from_value::<Waiver>(waiver).unwrap()
    };
    let object = |container: &str| json!({"objects": [{"kind": "Pod", "namespace": "shop", "name": "web", "container": container}]});
    let counts = |report: &Report| {
        let row = report.row(control).unwrap();
        (row.counts.failed, row.counts.waived, row.verdict)
    };
    let rows = |report: &Report| {
        ["waivers/current", "waivers/narrow", "waivers/used"]
            .map(|id| report.row(id).unwrap().verdict)
    };
    let one = report(&[("a.yaml", TWO)], &[of_one(object("one"))], Detail::Wrong);
    assert_eq!(counts(&one), (1, 0, Verdict::Fail), "the other container still fails");
    assert_eq!(one.waived.len(), 1);
    let both = [of_one(object("one")), of_one(object("two"))];
    let both = report(&[("a.yaml", TWO)], &both, Detail::Wrong);
    assert_eq!(counts(&both), (0, 1, Verdict::Waived));
    assert!(both.findings.iter().all(|it| it.control != control));
    assert_eq!(rows(&both), [Verdict::Pass; 3]);

    let unused = report(&[("a.yaml", TWO)], &[of_one(object("three"))], Detail::Wrong);
    assert_eq!(rows(&unused), [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    let ended = Waiver { expires: date(2026, 5, 30), ..of_one(object("one")) };
    let ended = report(&[("a.yaml", TWO)], &[ended], Detail::Wrong);
    assert_eq!(rows(&ended), [Verdict::Fail, Verdict::NotApplicable, Verdict::NotApplicable]);
    assert_eq!(ended.waived.len(), 0);

    let safe = TWO
        .replace("name: web", "name: safe")
        .replace("spec:", "spec:\n  securityContext: { runAsNonRoot: true, runAsUser: 12345 }");
    let whole = of_one(json!({"namespaces": ["shop"]}));
    let wide =
        report(&[("a.yaml", TWO), ("b.yaml", &safe)], std::slice::from_ref(&whole), Detail::Wrong);
    assert_eq!(rows(&wide), [Verdict::Pass, Verdict::Fail, Verdict::Pass]);
    let narrow = report(&[("a.yaml", TWO)], &[whole], Detail::Wrong);
    assert_eq!(rows(&narrow)[1], Verdict::Pass, "there is nothing that it hides");
}

#[test]
fn a_pass_says_what_it_rests_on() {
    let report = report(&[("good.yaml", GOOD)], &[], Detail::All);
    let passed = report.passed.as_ref().unwrap();
    assert_eq!(passed.len(), report.sum(|it| it.passed));
    assert!(passed.iter().all(|it| !it.rests.is_empty()));
    let spared = report.not_applicable.as_ref().unwrap();
    assert_eq!(spared.len(), report.sum(|it| it.not_applicable));
    assert!(spared.iter().all(|it| !it.reason.is_empty()));
}
