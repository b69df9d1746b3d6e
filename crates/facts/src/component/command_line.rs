//! A component's command line, read as its own parser reads it: pflag's, or for etcd Go's package flag.
//!
//! Never here: what a flag means, or what it is where nobody gives it.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::slice::Iter;

use ringfort_model::judgement::Gap;

use super::Component;
use super::flag;
use super::value::Kind;
use crate::fact::{Fact, Source};

/// The flags that a component was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandLine {
    component: Component,
    given: BTreeMap<String, Vec<String>>,
    /// Flags of which it is not certain what they were given, and why.
    doubtful: BTreeMap<String, String>,
    /// Flags that are not in the table, as they were written.
    pub unknown: Vec<String>,
    /// Words that belong to no flag.
    pub rest: Vec<String>,
    /// Why nothing certain can be said of any flag.
    lost: Option<String>,
}

/// Whether words are what the process got, or may still hold `$(NAME)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Words {
    Final,
    BeforeExpansion,
}

impl CommandLine {
    /// Reads the arguments of a process, its program first, as `/proc` shows them.
    pub fn of_process(component: Component, words: &[String]) -> Fact<Self> {
        Self::read(component, words, Words::Final)
    }

    /// Reads the `command` and `args` of a Pod's container.
    pub fn of_pod(component: Component, command: &[String], args: &[String]) -> Fact<Self> {
        if command.is_empty() {
            return Fact::gap(
                format!("the Pod of {component} names no command: its image decides what is run"),
                "the arguments of the running process",
            );
        }
        Self::read(component, &[command, args].concat(), Words::BeforeExpansion)
    }

    fn read(component: Component, words: &[String], state: Words) -> Fact<Self> {
        let Some((program, words)) = words.split_first() else {
            return Fact::gap(
                format!("no arguments of {component} were seen"),
                "the arguments of the running process",
            );
        };
        if program.rsplit('/').next() != Some(component.program()) {
            return Fact::gap(
                format!("{program:?} was started, which is not {component} itself"),
                "the arguments of the running process",
            );
        }
        let mut reader = Reader::new(component, words, state);
        match component {
            Component::Etcd => reader.read_as_go(),
            _ => reader.read_as_pflag(),
        }
        Fact::seen(reader.line, Source::CommandLine)
    }

    /// Gives all that one flag was given, in order; `None` where it was not given.
    ///
    /// # Errors
    /// It is not certain what it was given.
    pub fn given(&self, name: &str) -> Result<Option<&[String]>, Gap> {
        match self.lost.as_ref().or_else(|| self.doubtful.get(name)) {
            Some(why) => Err(uncertain(&format!("--{name} of {}", self.component), why)),
            None => Ok(self.given.get(name).map(Vec::as_slice)),
        }
    }

    /// Gives every flag that was given, with what counts of it: all of one to which more are added, else the last.
    ///
    /// # Errors
    /// Nothing certain can be said of any flag.
    pub fn counting(&self) -> Result<impl Iterator<Item = (&str, &[String])>, Gap> {
        if let Some(why) = &self.lost {
            return Err(uncertain(&format!("every flag of {}", self.component), why));
        }
        Ok(self.given.iter().map(move |(name, given)| {
            let is_one = flag::kind(self.component, name).is_some_and(Kind::takes_one);
            let from = if is_one { given.len().saturating_sub(1) } else { 0 };
            (name.as_str(), &given[from..])
        }))
    }
}

fn uncertain(what: &str, why: &str) -> Gap {
    let closes = "the arguments of the running process, of a version that is known here".to_owned();
    Gap { said: format!("{what} is uncertain: {why}"), closes }
}

/// Goes through the words, one flag after the other.
struct Reader<'a> {
    line: CommandLine,
    words: Peekable<Iter<'a, String>>,
    state: Words,
}

impl<'a> Reader<'a> {
    fn new(component: Component, words: &'a [String], state: Words) -> Self {
        let line = CommandLine {
            component,
            given: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            unknown: Vec::new(),
            rest: Vec::new(),
            lost: None,
        };
        Self { line, words: words.iter().peekable(), state }
    }

    /// Flags and other words may be mixed; `--` ends flags.
    fn read_as_pflag(&mut self) {
        while let Some(word) = self.next_word() {
            match word.strip_prefix("--") {
                Some("") => {
                    self.line.rest.extend(self.words.by_ref().cloned());
                }
                Some(long) => self.long(word, long),
                None if word.len() > 1 && word.starts_with('-') => self.short(word),
                None => self.line.rest.push(word.to_owned()),
            }
        }
    }

    /// One dash is as good as two, and the first other word ends flags.
    fn read_as_go(&mut self) {
        while let Some(word) = self.next_word() {
            let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
            match name {
                Some("") if word == "--" => break,
                Some(name) if !name.is_empty() => self.long(word, name),
                _ => {
                    self.line.rest.push(word.to_owned());
                    break;
                }
            }
        }
        self.line.rest.extend(self.words.by_ref().cloned());
        if let Some(word) = self.line.rest.first() {
            let why = format!("{word:?} ends its flags, and with such words no server is run");
            self.line.lost.get_or_insert(why);
        }
    }

    /// Gives the next word, unless nothing is certain any more.
    fn next_word(&mut self) -> Option<&'a str> {
        let word = self.words.next()?;
        let name = word.split('=').next().unwrap_or_default();
        if self.is_open(name) {
            self.lose(format!("{word:?} is filled in when the container starts"));
        }
        self.line.lost.is_none().then_some(word.as_str())
    }

    /// Reads `name=value`, `name value` or `name`.
    fn long(&mut self, word: &str, long: &str) {
        if long.starts_with(['-', '=']) {
            return self.lose(format!("{word:?} is no flag"));
        }
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (self.normal(name), Some(value)),
            None => (self.normal(long), None),
        };
        match (flag::kind(self.line.component, &name), value) {
            (None, value) => self.unknown(word, value),
            (Some(_), Some(value)) => self.give(name, value),
            (Some(kind), None) if kind.stands_alone() => self.give(name, "true"),
            (Some(_), None) => self.give_next(name),
        }
    }

    /// Reads `-v2`, `-v=2`, `-v 2` and `-h`, the only short flags there are.
    fn short(&mut self, word: &str) {
        match word.strip_prefix("-v") {
            Some("") => self.give_next("v".to_owned()),
            Some(value) => self.give("v".to_owned(), value.strip_prefix('=').unwrap_or(value)),
            None => self.lose(format!("{word:?} is no flag that is known here")),
        }
    }

    /// Kubernetes takes underscores for dashes; etcd does not.
    fn normal(&self, name: &str) -> String {
        match self.line.component {
            Component::Etcd => name.to_owned(),
            _ => name.replace('_', "-"),
        }
    }

    fn give_next(&mut self, name: String) {
        match self.words.next() {
            Some(value) => self.give(name, value),
            None => {
                self.line.doubtful.insert(name, "its value is missing".to_owned());
            }
        }
    }

    fn give(&mut self, name: String, value: &str) {
        if self.is_open(value) {
            let why = format!("{value:?} is filled in when the container starts");
            self.line.doubtful.insert(name.clone(), why);
        }
        self.line.given.entry(name).or_default().push(value.to_owned());
    }

    /// Keeps a flag that is not in the table. Without `=` it may take the next word or not: what that
    /// word would set is in doubt, and where even its end is in doubt, so is all the rest.
    fn unknown(&mut self, word: &str, value: Option<&str>) {
        self.line.unknown.push(word.to_owned());
        let next = self.words.peek().copied();
        let Some(next) = next.filter(|_| value.is_none()) else { return };
        if next.starts_with('-') {
            let why = format!("{word} is not known here and may take {next:?} as its value");
            match self.alone(next) {
                Some(name) => {
                    self.line.doubtful.insert(name, why);
                }
                None => self.lose(why),
            }
        }
        self.words.next();
    }

    /// Names the flag of a word that surely takes no word after it.
    fn alone(&self, word: &str) -> Option<String> {
        let long = word.strip_prefix("--").filter(|long| !long.is_empty())?;
        let name = self.normal(long.split('=').next()?);
        let alone = long.contains('=')
            || flag::kind(self.line.component, &name).is_some_and(Kind::stands_alone);
        alone.then_some(name)
    }

    fn is_open(&self, text: &str) -> bool {
        self.state == Words::BeforeExpansion && (text.contains("$(") || text.contains("$$"))
    }

    fn lose(&mut self, why: String) {
        self.line.lost.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandLine, Component, Fact};

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    /// What a flag was given: its values, `not given`, or `gap`.
    fn given(component: Component, line: &str, name: &str) -> String {
        let line = words(&format!("/usr/bin/{component} {line}"));
        let Fact::Known(seen) = CommandLine::of_process(component, &line) else {
            return "gap".to_owned();
        };
        match seen.value.given(name) {
            Ok(Some(values)) => values.join("|"),
            Ok(None) => "not given".to_owned(),
            Err(_) => "gap".to_owned(),
        }
    }

    #[test]
    fn words_are_read_as_pflag_reads_them() {
        let check = |line: &str, name: &str, expected: &str| {
            assert_eq!(given(Component::ApiServer, line, name), expected, "{line}");
        };
        check("--anonymous-auth=false", "anonymous-auth", "false");
        check("--anonymous_auth=false", "anonymous-auth", "false");
        // A boolean never takes the next word.
        check("--anonymous-auth false", "anonymous-auth", "true");
        check("--audit-log-path /a --profiling", "audit-log-path", "/a");
        check("--audit-log-path /a --profiling", "profiling", "true");
        // A value may look like a flag.
        check("--audit-log-path --profiling", "audit-log-path", "--profiling");
        check("--audit-log-path --profiling", "profiling", "not given");
        check("--audit-log-path=", "audit-log-path", "");
        check("--audit-log-path=a=b", "audit-log-path", "a=b");
        check("--anonymous-auth=false --anonymous-auth=true", "anonymous-auth", "false|true");
        check("-- --anonymous-auth=false", "anonymous-auth", "not given");
        check("word --anonymous-auth=false", "anonymous-auth", "false");
        check("-v 2 --profiling=false", "profiling", "false");
        check("-v2 --profiling=false", "v", "2");
        check("-v=2 --profiling=false", "v", "2");
        check("-anonymous-auth=false", "anonymous-auth", "gap");
        check("--no-anonymous-auth", "anonymous-auth", "not given");
        check("--audit-log-path", "audit-log-path", "gap");
        check("---profiling", "profiling", "gap");
    }

    #[test]
    fn of_a_flag_that_takes_one_value_the_last_counts() {
        let counting = |line: &str| {
            let line = words(&format!("kube-apiserver {line}"));
            let read = CommandLine::of_process(Component::ApiServer, &line);
            let seen = read.known().unwrap();
            let all = seen.value.counting().ok()?;
            let one = |(name, values): (&str, &[String])| format!("{name}={}", values.join("|"));
            Some(all.map(one).collect::<Vec<_>>().join(" "))
        };
        let line = "--audit-log-path=/a --audit-log-path /b --service-account-key-file=/c --service-account-key-file=/d";
        let expected = "audit-log-path=/b service-account-key-file=/c|/d";
        assert_eq!(counting(line).as_deref(), Some(expected));
        assert_eq!(counting("").as_deref(), Some(""));
        assert_eq!(counting("-audit-log-path=/a"), None);
    }

    #[test]
    fn etcd_reads_as_go_does() {
        let check = |line: &str, name: &str, expected: &str| {
            assert_eq!(given(Component::Etcd, line, name), expected, "{line}");
        };
        check("-client-cert-auth -cert-file /c", "client-cert-auth", "true");
        check("-client-cert-auth -cert-file /c", "cert-file", "/c");
        check("--client-cert-auth=0", "client-cert-auth", "0");
        check("--client_cert_auth=true", "client-cert-auth", "not given");
        check("--client-cert-auth true --auto-tls", "client-cert-auth", "gap");
        check("gateway start --client-cert-auth", "client-cert-auth", "gap");
        check("--cert-file=/c --", "cert-file", "/c");
    }

    #[test]
    fn a_flag_that_is_not_known_puts_in_doubt_what_it_may_take() {
        let check = |line: &str, name: &str, expected: &str| {
            assert_eq!(given(Component::ApiServer, line, name), expected, "{line}");
        };
        check("--new=1 --anonymous-auth=false", "anonymous-auth", "false");
        check("--new --anonymous-auth=false", "anonymous-auth", "gap");
        check("--new --anonymous-auth=false --profiling=false", "profiling", "false");
        check("--new --audit-log-path --profiling=false", "profiling", "gap");
        check("--new word --profiling=false", "profiling", "false");
        check("--new -- --profiling=false", "profiling", "gap");
        check("--profiling=false --new", "profiling", "false");
    }

    #[test]
    fn a_program_that_is_another_is_a_gap() {
        let check = |line: &str, expected: bool| {
            let read = CommandLine::of_process(Component::ApiServer, &words(line));
            assert_eq!(read.known().is_ok(), expected, "{line}");
        };
        check("kube-apiserver", true);
        check("/usr/local/bin/kube-apiserver --profiling=false", true);
        check("sh -c kube-apiserver", false);
        check("/opt/kube-apiserver-wrapper --profiling=false", false);
        check("k3s server", false);
        assert!(CommandLine::of_process(Component::ApiServer, &[]).known().is_err());
    }

    #[test]
    fn a_pods_command_and_arguments_are_one_line() {
        let check = |command: &[&str], args: &[&str], expected: Option<&str>| {
            let own = |list: &[&str]| list.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
            let read = CommandLine::of_pod(Component::ApiServer, &own(command), &own(args));
            let line = read.known().ok().map(|seen| seen.value.clone());
            let given = line.and_then(|line| Some(line.given("profiling").ok()??.join("|")));
            assert_eq!(given.as_deref(), expected, "{command:?} {args:?}");
        };
        check(&["kube-apiserver"], &["--profiling=false"], Some("false"));
        check(&["kube-apiserver", "--profiling=false"], &["--profiling"], Some("false|true"));
        check(&[], &["--profiling=false"], None);
        check(&["kube-apiserver"], &["--profiling=$(OFF)"], None);
        check(&["kube-apiserver"], &["$(MORE)", "--profiling=false"], None);
        check(
            &["kube-apiserver"],
            &["--audit-log-path=$(LOG)", "--profiling=false"],
            Some("false"),
        );
    }
}
