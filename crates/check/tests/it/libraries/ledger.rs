//! A ledger: which control answers which rule, and where the two differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{By, Comes};

/// A ledger, and what was seen of it.
pub(super) struct Ledger {
    rules: BTreeMap<String, Result<Vec<By>, String>>,
    /// What answers a rule with the parameters of one of its tests.
    with: BTreeMap<String, Vec<By>>,
    /// What is known to differ, by rule and case: what is said there, and here.
    differ: BTreeMap<String, (Comes, Comes)>,
    met: BTreeSet<String>,
    tried: usize,
    same: usize,
    wrong: Vec<String>,
}

impl Ledger {
    /// Reads the ledger of a library.
    pub(super) fn of(library: &str) -> Self {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/libraries");
        Self::read(&fs::read_to_string(format!("{directory}/{library}.ledger")).unwrap())
    }

    /// Reads lines: `rule = control, cis row, restricted check`, `rule = - reason`, and
    /// `! rule/case fail pass reason`. Where a rule has parameters, `~ rule/test = control` says what answers it
    /// with those of one of its tests, and `~ rule/test = -` that with them it asks nothing.
    pub(super) fn read(text: &str) -> Self {
        let mut ledger = Self {
            rules: BTreeMap::new(),
            with: BTreeMap::new(),
            differ: BTreeMap::new(),
            met: BTreeSet::new(),
            tried: 0,
            same: 0,
            wrong: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split_at(2) {
                ("! ", difference) => ledger.read_difference(difference),
                ("~ ", with) => ledger.read_with(with),
                _ => ledger.read_rule(line),
            }
        }
        ledger
    }

    fn read_rule(&mut self, line: &str) {
        let (rule, answer) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        let answer = match answer.strip_prefix("- ") {
            Some(why) => Err(why.to_owned()),
            None => Ok(answer.split(", ").map(by).collect()),
        };
        let before = self.rules.insert(rule.to_owned(), answer);
        assert!(before.is_none(), "{rule} stands twice");
    }

    fn read_with(&mut self, line: &str) {
        let (test, answer) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        let answer = if answer == "-" { Vec::new() } else { answer.split(", ").map(by).collect() };
        let before = self.with.insert(test.to_owned(), answer);
        assert!(before.is_none(), "{test} stands twice");
    }

    fn read_difference(&mut self, line: &str) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let [case, said, found, why] = words[..] else { panic!("{line}") };
        assert!(why.len() > 10, "{line}: no reason");
        let before = self.differ.insert(case.to_owned(), (comes(said), comes(found)));
        assert!(before.is_none(), "{case} stands twice");
    }

    /// Tries a case of a rule.
    pub(super) fn try_case(
        &mut self,
        rule: &str,
        case: &str,
        said: Comes,
        documents: &[serde_json::Value],
    ) {
        self.met.insert(rule.to_owned());
        let all = match self.rules.get(rule) {
            None => return self.wrong.push(format!("{rule}: no line says what answers it")),
            Some(Err(_)) => return,
            Some(Ok(all)) => all,
        };
        let test = case.split('/').next().unwrap_or_default();
        let test = format!("{rule}/{test}");
        let all = self.with.get(&test).unwrap_or(all);
        self.met.insert(test);
        if all.is_empty() {
            return;
        }
        let found = all.iter().map(|by| by.judge(documents)).min().unwrap_or(Comes::Pass);
        self.tried += 1;
        self.same += usize::from(found == said);
        let name = format!("{rule}/{}", case.replace(' ', "_"));
        match self.differ.remove(&name) {
            None if found == said => {}
            Some(known) if known == (said, found) && found != said => {}
            _ => {
                let verdicts = format!("{said:?} {found:?}").to_lowercase();
                self.wrong.push(format!("! {name} {verdicts}"));
            }
        }
    }

    /// Ends with every line used, so many rules answered, and so many of a hundred cases alike.
    pub(super) fn close(self, least_rules: usize, least_alike: usize) {
        let idle: Vec<_> = self.differ.keys().map(|it| format!("{it} does not differ")).collect();
        let unmet =
            self.rules.keys().chain(self.with.keys()).filter(|rule| !self.met.contains(*rule));
        let unmet = unmet.map(|rule| format!("{rule}: there is no such rule"));
        let wrong: Vec<_> = self.wrong.into_iter().chain(idle).chain(unmet).collect();
        let answered = self.rules.values().filter(|it| it.is_ok()).count();
        let (tried, same) = (self.tried, self.same);
        println!(
            "{answered} of {} rules are answered, {same} of {tried} cases alike",
            self.rules.len()
        );
        assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
        assert!(answered >= least_rules, "{answered} rules are answered");
        assert!(same * 100 >= tried * least_alike && tried > 0, "{same} of {tried} are alike");
    }
}

fn by(word: &str) -> By {
    match word.split_once(' ') {
        Some(("cis", row)) => By::Row(row.to_owned()),
        Some((level, check)) => By::Standard(level.parse().unwrap(), check.to_owned()),
        None => By::Guideline(word.to_owned()),
    }
}

fn comes(word: &str) -> Comes {
    match word {
        "fail" => Comes::Fail,
        "unknown" => Comes::Unknown,
        "pass" => Comes::Pass,
        other => panic!("{other}"),
    }
}

/// A ledger sees what is not in it, and what is in it for nothing.
#[test]
#[should_panic(expected = "a/two does not differ")]
fn a_line_without_a_difference_is_seen() {
    let mut ledger = Ledger::read("a = workload/no-sudo\n! a/two fail pass for no reason at all\n");
    ledger.try_case("a", "one", Comes::Pass, &[]);
    ledger.close(0, 0);
}

#[test]
#[should_panic(expected = "! a/one fail pass")]
fn a_difference_without_a_line_is_seen() {
    let mut ledger = Ledger::read("a = workload/no-sudo\n");
    ledger.try_case("a", "one", Comes::Fail, &[]);
    ledger.close(0, 0);
}
