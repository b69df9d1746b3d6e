//! Builds programs from Go modules, with upstream's versions of everything and every sum checked by
//! Go's checksum database.
//!
//! Never here: a build with the database off, a compiler that Go fetches by itself, or a path, host
//! or date of this machine in what comes out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use super::adapt::{OWN_MODULE, adapt};
use super::files::{FileFault, read_text, write};
use super::pins::{Compile, MODULE_SUMS, Program, Release, Ships};

/// A Go that may be used.
#[derive(Clone, Debug)]
pub(super) struct Compiler {
    version: String,
    cache: Option<PathBuf>,
}

/// Says why a program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    /// The program to call is missing.
    #[error("{program} cannot be run: install it, or bring a bundle that was built elsewhere")]
    Missing {
        /// Its name.
        program: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The checksum database is switched off, for all modules or for some.
    #[error(
        "{setting} is {value:?}, so Go would take modules unchecked: run go env -u {setting}, or unset it in the environment"
    )]
    Unchecked {
        /// Which setting of Go.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// Go's answer was not understood.
    #[error("the answer of go {question} was not understood: is this Go 1.26 or later?")]
    Answer {
        /// What was asked.
        question: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A program failed.
    #[error("{what} failed:\n{output}")]
    Failed {
        /// What it was to do.
        what: String,
        /// The last lines that it wrote.
        output: String,
    },
    /// A module is not the one that is pinned.
    #[error("the module {module} has the sum {found}, pinned is {pinned}: do not use this proxy")]
    OtherModule {
        /// The module with its version.
        module: String,
        /// The sum of what was fetched.
        found: String,
        /// The sum it should have.
        pinned: &'static str,
    },
    /// Files of the build could not be written or read.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl Compiler {
    /// Asks Go what it is, and refuses one that takes modules unchecked.
    ///
    /// # Errors
    /// There is no Go, or its checksum database is off.
    pub(super) fn find() -> Result<Self, CompilerError> {
        let answer = run(Command::new("go").args(["env", "-json"]), "go env")?;
        let answered: Environment = parse(&answer.stdout, "env")?;
        answered.is_checked()?;
        Ok(Self { version: answered.version, cache: None })
    }

    /// Builds with a build cache of its own, so that nothing built before is used again.
    pub(super) fn afresh(&self, cache: PathBuf) -> Self {
        Self { cache: Some(cache), ..self.clone() }
    }

    /// Gives the version of Go.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Describes all that decides what a build's bytes are.
    ///
    /// # Errors
    /// The program needs a C compiler or library that is not there.
    pub(super) fn recipe(
        &self,
        release: &Release,
        program: &Program,
    ) -> Result<String, CompilerError> {
        Ok(format!(
            "{}\n{}\n{}",
            self.version,
            linked(program.project.compile)?,
            description(release, program)
        ))
    }

    /// Builds one program to `out`, and says where it comes from.
    ///
    /// # Errors
    /// The module cannot be had or is another one than pinned, or it cannot be built.
    pub(super) fn build(
        &self,
        release: &Release,
        program: &Program,
        out: &Path,
    ) -> Result<String, CompilerError> {
        let scratch = out.with_extension("build");
        fresh_directory(&scratch)?;
        self.lay_out(release, program, &scratch)?;
        let mut go = self.go(program.project.compile);
        let what: &[&str] = match program.ships {
            Ships::Suite => &["test", "-c"],
            _ => &["build"],
        };
        go.current_dir(&scratch).args(what).args(arguments(release, program)).arg("-o").arg(out);
        go.arg(package(program));
        run(&mut go, &format!("building {}", program.name))?;
        fs::remove_dir_all(&scratch).map_err(FileFault::of(&scratch))?;
        let linked = linked(program.project.compile)?;
        let origin = origin(release, program);
        Ok(if linked.is_empty() { origin } else { format!("{origin}, linked with {linked}") })
    }

    fn lay_out(
        &self,
        release: &Release,
        program: &Program,
        scratch: &Path,
    ) -> Result<(), CompilerError> {
        let version = format!("v{}", release.version(program.project));
        let go_mod = match program.project.module {
            None => format!("module {OWN_MODULE}\n\ngo 1.26\n"),
            Some(module) => {
                let fetched = self.fetch(module, &version, scratch)?;
                let sums = read_text(&fetched.dir.join("go.sum"))?;
                write(&scratch.join("go.sum"), sums.as_bytes())?;
                let upstream = read_text(&fetched.dir.join("go.mod"))?;
                adapt(&upstream, module, &version, &release.libraries())
            }
        };
        write(&scratch.join("go.mod"), go_mod.as_bytes())?;
        if let Some(main) = program.project.main {
            write(&scratch.join("main.go"), main.as_bytes())?;
        }
        Ok(())
    }

    fn fetch(&self, module: &str, version: &str, scratch: &Path) -> Result<Fetched, CompilerError> {
        let mut go = self.go(Compile::Go);
        let what = format!("{module}@{version}");
        go.current_dir(scratch).args(["mod", "download", "-json", &what]);
        let answer = run(&mut go, &format!("fetching the module {what}"))?;
        let fetched: Fetched = parse(&answer.stdout, "mod download")?;
        let pinned = pinned(module, version);
        if fetched.sum == pinned {
            return Ok(fetched);
        }
        Err(CompilerError::OtherModule { module: what, found: fetched.sum, pinned })
    }

    fn go(&self, compile: Compile) -> Command {
        let mut go = Command::new("go");
        for variable in LOOSE {
            go.env_remove(variable);
        }
        go.env("CGO_ENABLED", if compile == Compile::Go { "0" } else { "1" });
        go.envs(FIXED.iter().copied());
        if let Some(cache) = &self.cache {
            go.env("GOCACHE", cache);
        }
        go
    }
}

/// Settings that are the same on every machine.
const FIXED: &[(&str, &str)] = &[
    ("GOFLAGS", "-mod=mod"),
    ("GOTOOLCHAIN", "local"),
    ("GOWORK", "off"),
    ("GOOS", "linux"),
    ("GOARCH", "amd64"),
    ("GOAMD64", "v1"),
    ("LC_ALL", "C"),
];

/// Settings that would change what is built.
const LOOSE: &[&str] = &[
    "CC",
    "CGO_CFLAGS",
    "CGO_CPPFLAGS",
    "CGO_LDFLAGS",
    "GOEXPERIMENT",
    "GODEBUG",
    "GOFIPS140",
    "GO111MODULE",
];

/// What Go says about itself.
#[derive(Deserialize)]
struct Environment {
    #[serde(rename = "GOVERSION")]
    version: String,
    #[serde(rename = "GOSUMDB", default)]
    database: String,
    #[serde(rename = "GONOSUMDB", default)]
    no_database: String,
    #[serde(rename = "GONOSUMCHECK", default)]
    no_check: String,
    #[serde(rename = "GOPRIVATE", default)]
    private: String,
    #[serde(rename = "GOINSECURE", default)]
    insecure: String,
}

impl Environment {
    fn is_checked(&self) -> Result<(), CompilerError> {
        let unchecked = |setting, value: &String| {
            Err(CompilerError::Unchecked { setting, value: value.clone() })
        };
        if matches!(self.database.as_str(), "" | "off") {
            return unchecked("GOSUMDB", &self.database);
        }
        let exceptions = [
            // Go takes this one for the next two as well, where they are not set.
            ("GOPRIVATE", &self.private),
            ("GONOSUMDB", &self.no_database),
            ("GONOSUMCHECK", &self.no_check),
            ("GOINSECURE", &self.insecure),
        ];
        match exceptions.into_iter().find(|(_, value)| !value.is_empty()) {
            Some((setting, value)) => unchecked(setting, value),
            None => Ok(()),
        }
    }
}

/// What Go says about a module that it fetched.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fetched {
    dir: PathBuf,
    sum: String,
}

/// Says where a program comes from, with the sum of its module.
fn origin(release: &Release, program: &Program) -> String {
    let version = format!("v{}", release.version(program.project));
    match program.project.module {
        Some(module) => format!("module {module}@{version} {}", pinned(module, &version)),
        None => format!("ringfort's own {}.go, Go's standard library", program.name),
    }
}

/// Writes down all that decides what is compiled.
fn description(release: &Release, program: &Program) -> String {
    let (origin, package) = (origin(release, program), package(program));
    let arguments = arguments(release, program).join(" ");
    let main = program.project.main.unwrap_or_default();
    format!("{origin}\n{package}\n{arguments}\n{main}")
}

fn pinned(module: &str, version: &str) -> &'static str {
    let same = |pin: &&(&str, &str, &str)| pin.0 == module && pin.1 == version;
    MODULE_SUMS
        .iter()
        .find(same)
        .map(|pin| pin.2)
        .expect("a test checks that every module is there")
}

fn package(program: &Program) -> String {
    match (program.project.module, program.project.main) {
        (Some(module), None) => format!("{module}{}", program.package),
        _ => ".".to_owned(),
    }
}

fn arguments(release: &Release, program: &Program) -> Vec<String> {
    let mut linker = "-s -w -buildid=".to_owned();
    for variable in program.project.variables {
        linker.push_str(&format!(" -X {}", release.fill(program, variable)));
    }
    let mut arguments = vec!["-trimpath".to_owned(), "-buildvcs=false".to_owned()];
    if program.project.compile == Compile::Seccomp {
        linker.push_str(" -linkmode external -extldflags '-static -Wl,--build-id=none'");
        arguments.push("-tags=seccomp,netgo,osusergo".to_owned());
    }
    arguments.push(format!("-ldflags={linker}"));
    arguments
}

/// Names what a program is linked with besides Go modules.
fn linked(compile: Compile) -> Result<String, CompilerError> {
    if compile == Compile::Go {
        return Ok(String::new());
    }
    let library = first_line("pkg-config", &["--modversion", "libseccomp"])?;
    let compiler = first_line("cc", &["--version"])?;
    Ok(format!("libseccomp {library} by {compiler}"))
}

fn first_line(program: &'static str, arguments: &[&str]) -> Result<String, CompilerError> {
    let mut command = Command::new(program);
    let what = format!("{program} {}", arguments.join(" "));
    let answer = run(command.args(arguments), &what)?;
    let text = String::from_utf8_lossy(&answer.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn run(command: &mut Command, what: &str) -> Result<Output, CompilerError> {
    let program = match command.get_program().to_str() {
        Some("cc") => "cc",
        Some("pkg-config") => "pkg-config",
        _ => "go",
    };
    let missing = |source| CompilerError::Missing { program, source };
    let output = command.stdin(Stdio::null()).output().map_err(missing)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(CompilerError::Failed { what: what.to_owned(), output: last_lines(&output) })
}

/// Keeps the end of what a failed program wrote: Go names the cause last. What Go answers as JSON
/// holds the cause as well.
fn last_lines(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let told: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("go: downloading ")).collect();
    told[told.len().saturating_sub(LAST_LINES)..].join("\n")
}

const LAST_LINES: usize = 12;

fn parse<T: for<'a> Deserialize<'a>>(text: &[u8], question: &str) -> Result<T, CompilerError> {
    let answer = |source| CompilerError::Answer { question: question.to_owned(), source };
    serde_json::from_slice(text).map_err(answer)
}

fn fresh_directory(path: &Path) -> Result<(), FileFault> {
    if path.exists() {
        fs::remove_dir_all(path).map_err(FileFault::of(path))?;
    }
    fs::create_dir_all(path).map_err(FileFault::of(path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{Environment, arguments, description, origin, package};
    use crate::bundle::pins::{PROGRAMS, Program, RELEASES, Release};

    #[test]
    fn a_go_that_takes_modules_unchecked_is_refused() {
        let check = |setting: &str, value: &str, expected: Option<&str>| {
            let mut answer = json!({"GOVERSION": "go1.26.8", "GOSUMDB": "sum.golang.org"});
            answer[setting] = json!(value);
            let read: Environment = serde_json::from_value(answer).expect("an answer of Go");
            let fault = read.is_checked().err().map(|error| error.to_string());
            assert_eq!(fault.is_some(), expected.is_some(), "{setting}={value}: {fault:?}");
            assert!(fault.unwrap_or_default().contains(expected.unwrap_or_default()), "{setting}");
        };
        check("GOSUMDB", "sum.golang.org", None);
        check("GOSUMDB", "off", Some("GOSUMDB is \"off\""));
        check("GOSUMDB", "", Some("GOSUMDB is \"\""));
        check("GOPRIVATE", "k8s.io/*", Some("go env -u GOPRIVATE"));
        check("GONOSUMDB", "*", Some("GONOSUMDB"));
        check("GOINSECURE", "*", Some("GOINSECURE"));
    }

    #[test]
    fn no_two_programs_are_described_alike() {
        let pairs = RELEASES.iter().flat_map(|release| PROGRAMS.iter().map(move |p| (release, p)));
        let named = |(release, program): (&Release, &Program)| {
            (program.name, release.version(program.project), description(release, program))
        };
        let all: BTreeSet<_> = pairs.map(named).collect();
        let descriptions: BTreeSet<_> = all.iter().map(|(_, _, text)| text).collect();
        assert_eq!(descriptions.len(), all.len());
    }

    #[test]
    fn programs_are_built_by_their_tables() {
        let check = |name: &str, expected: [&str; 3]| {
            let program = PROGRAMS.iter().find(|program| program.name == name).expect("a program");
            let built = [
                origin(&RELEASES[0], program),
                arguments(&RELEASES[0], program).join(" "),
                package(program),
            ];
            assert_eq!(built, expected);
        };
        check(
            "portmap",
            [
                "module github.com/containernetworking/plugins@v1.9.1 h1:8oU6WsIsU3bpnNZuvHp74a6cE1MJwbj2P7s4/yTUNlA=",
                "-trimpath -buildvcs=false -ldflags=-s -w -buildid= -X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v1.9.1",
                "github.com/containernetworking/plugins/plugins/meta/portmap",
            ],
        );
        check(
            "runc",
            [
                "module github.com/opencontainers/runc@v1.5.2 h1:eUUowc2WJCnFYzI87C1WqRcu356Dk/wsoi90y+2wEfE=",
                "-trimpath -buildvcs=false -tags=seccomp,netgo,osusergo -ldflags=-s -w -buildid= -linkmode external -extldflags '-static -Wl,--build-id=none'",
                "github.com/opencontainers/runc",
            ],
        );
        check(
            "probe",
            [
                "ringfort's own probe.go, Go's standard library",
                "-trimpath -buildvcs=false -ldflags=-s -w -buildid= -X main.version=1",
                ".",
            ],
        );
    }
}
