//! Any words are a command line: what stands before others changes nothing of what they say, and a container's
//! words say what those of its process do. The first byte says whose they are; the words are parted by zeros.

use ringfort_facts::component::Component;
use ringfort_facts::component::command_line::CommandLine;

/// Reads bytes as words.
pub fn holds(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let component = Component::ALL[usize::from(*first) % Component::ALL.len()];
    let words = rest.split(|byte| *byte == 0).map(|it| String::from_utf8_lossy(it).into_owned());
    let words: Vec<String> = words.collect();
    let line = read(component, &words);
    // What is filled in when a container starts, its process has got already.
    if !words.iter().any(|word| word.contains('$')) {
        let command = [component.program().to_owned()];
        let of_pod = CommandLine::of_pod(component, &command, &words);
        assert_eq!(of_pod.known().ok().map(|seen| &seen.value), Some(&line), "{words:?}");
    }
    let (flag, value) = FLAGS[usize::from(*first) % FLAGS.len()];
    let first = format!("--{flag}={value}");
    let longer: Vec<String> = std::iter::once(first).chain(words.iter().cloned()).collect();
    let after = read(component, &longer);
    for name in NAMES.iter().filter(|name| **name != flag) {
        assert_eq!(line.given(name), after.given(name), "{name} in {words:?}");
    }
    match (line.given(flag), after.given(flag)) {
        (Ok(before), Ok(Some([first, others @ ..]))) => {
            assert_eq!((first.as_str(), others), (value, before.unwrap_or_default()), "{words:?}");
        }
        (Err(_), Err(_)) => {}
        (before, after) => panic!("{flag} was {before:?} and is {after:?} in {words:?}"),
    }
}

fn read(component: Component, words: &[String]) -> CommandLine {
    let program = component.program().to_owned();
    let words: Vec<String> = std::iter::once(program).chain(words.iter().cloned()).collect();
    let line = CommandLine::of_process(component, &words);
    line.known().expect("a program with any words has a command line").value.clone()
}

/// A flag of each component, and a value of it.
const FLAGS: [(&str, &str); 6] = [
    ("profiling", "false"),
    ("profiling", "false"),
    ("profiling", "false"),
    ("read-only-port", "0"),
    ("profiling", "false"),
    ("name", "a"),
];

const NAMES: [&str; 10] = [
    "anonymous-auth",
    "authorization-mode",
    "bind-address",
    "client-ca-file",
    "client-cert-auth",
    "config",
    "name",
    "profiling",
    "read-only-port",
    "v",
];
