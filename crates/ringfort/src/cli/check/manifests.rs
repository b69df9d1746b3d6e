//! `ringfort check PATH`: judges all objects of manifests together, by every guideline.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use ringfort_check::guideline::Guideline;
use ringfort_check::guidelines::{GUIDELINES, find};
use ringfort_check::profile::Profile;
use ringfort_check::report::{Asked, Detail, FailOn, Part, Report};
use ringfort_check::world::World;
use ringfort_model::severity::Severity;
use ringfort_spec::{Paint, nearest};

use super::cache::{Cache, Entry, Key};
use super::given::{self, Given};
use super::tree::{Finder, Tree, by_file, side_by_side};
use super::written::{self, Format, Output};
use crate::cli::Fault;

#[derive(Args)]
pub struct ManifestsArgs {
    /// Files of manifests, directories of them, or - for standard input
    #[arg(required_unless_present_any = ["kubeconfig", "cluster"], value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Whether what is not there may be elsewhere; closed where all paths are directories
    #[arg(long, value_enum, value_name = "WORLD")]
    world: Option<WorldArg>,
    /// The namespace of objects that name none
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Judge by what is at least as grave: low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", default_value = "low")]
    severity: Severity,
    /// Judge by this control alone; may be given more than once
    #[arg(long = "control", value_name = "ID", value_parser = guideline)]
    controls: Vec<&'static Guideline>,
    /// Judge by what others ask for: all, cis-2.0.1, nsa, pss or owasp-2025
    ///
    /// A profile holds the controls that answer one of its recommendations; the JSON names them under answers.
    #[arg(long, value_name = "PROFILE", default_value = "all")]
    profile: Profile,
    /// A file of waivers, written as in cluster.yaml, whose scope may also name objects and containers
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    /// What a run before wrote with --format json: says what is new, gone and still there
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Which findings make the command fail
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = FailOnArg::Any)]
    fail_on: FailOnArg,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Also write what passed, with what it rests on, and what nothing is asked of, with the reason (json)
    #[arg(long)]
    passed: bool,
    /// The day on which waivers are looked at, as YYYY-MM-DD; today where it is left out
    #[arg(long, value_name = "DATE")]
    day: Option<Date>,
    /// Judge anew, and keep nothing for a next run over the same files
    #[arg(long)]
    no_cache: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WorldArg {
    /// All objects were given: what is absent is not there
    Closed,
    /// There may be more: whether something is absent is unknown
    Open,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailOnArg {
    /// Any finding
    Any,
    /// A finding that the run before had not
    New,
}

fn guideline(id: &str) -> Result<&'static Guideline, String> {
    find(id).ok_or_else(|| {
        let ids: Vec<&str> = GUIDELINES.iter().map(|guideline| guideline.id).collect();
        let near = nearest(id, &ids).map(|near| format!(": did you mean {near}?"));
        format!("there is no such control{}", near.unwrap_or_default())
    })
}

/// What is given beside what is judged.
pub(super) struct Beside {
    day: Date,
    waivers: Option<Given>,
    /// What a run before said.
    before: Option<String>,
}

impl Beside {
    /// Reads it. A `cluster.yaml` is read for its waivers.
    pub(super) fn read(args: &ManifestsArgs, spec: Option<&Path>) -> Result<Self, Fault> {
        let day = args.day();
        let of_waivers = match (args.waivers.as_deref(), spec) {
            (Some(_), Some(_)) => return Err(Fault::usage(TWICE)),
            (waivers, spec) => waivers.or(spec),
        };
        let waivers = of_waivers.map(|path| given::waivers(path, day)).transpose()?;
        let before = given::baseline_text(args.baseline.as_ref())?;
        Ok(Self { day, waivers, before })
    }
}

const TWICE: &str = "--spec is read for its waivers here, as --waivers is: leave one of them out";

/// Runs the command.
pub fn run(args: &ManifestsArgs) -> Result<ExitCode, Fault> {
    let mut tree = Tree::read(&args.paths)?;
    let beside = Beside::read(args, None)?;
    let cache = if args.no_cache { None } else { Cache::find(tree.bytes()) };
    let key = cache.as_ref().map(|_| args.key(&tree, &beside));
    if let Some((cache, key)) = cache.as_ref().zip(key.as_ref())
        && let Some(kept) = cache.get(key)
    {
        return Ok(written::again(&kept));
    }
    let report = compared(args, &mut tree, &beside)?;
    let entry = cache.zip(key).and_then(|(cache, key)| cache.begin(&key));
    tell(args, &report, (&tree, &beside), entry)
}

/// Judges the objects of a cluster that runs. Nothing of them is kept for a next run.
pub(super) fn run_live(
    args: &ManifestsArgs,
    mut tree: Tree,
    beside: &Beside,
) -> Result<ExitCode, Fault> {
    let report = compared(args, &mut tree, beside)?;
    tree.cover(&report);
    tell(args, &report, (&tree, beside), None)
}

/// Judges a tree, and compares that with a run before.
fn compared(args: &ManifestsArgs, tree: &mut Tree, beside: &Beside) -> Result<Report, Fault> {
    let mut report = judge(args, tree, beside.waivers.as_ref())?;
    if let Some((path, text)) = args.baseline.as_ref().zip(beside.before.as_deref()) {
        report.compare(&given::baseline(path, text)?, &tree.unlisted());
    }
    Ok(report)
}

/// Writes a report, and gives the exit code.
fn tell(
    args: &ManifestsArgs,
    report: &Report,
    (tree, beside): (&Tree, &Beside),
    entry: Option<Entry>,
) -> Result<ExitCode, Fault> {
    let code = report.code(match args.fail_on {
        FailOnArg::Any => FailOn::Any,
        FailOnArg::New => FailOn::New,
    });
    let told: String = report.unread.iter().map(|unread| format!("error: {unread}\n")).collect();
    let files = tree.files.iter().chain(beside.waivers.as_ref().map(|it| &it.file));
    let mut output = Output::new(entry);
    eprint!("{told}");
    args.format.write(report, files, paint(), beside.day, &mut output).map_err(Fault::unable)?;
    output.finish(&told, code);
    Ok(ExitCode::from(code))
}

/// Judges a tree file by file. What others rest on is known before the first is judged.
pub(super) fn judge(
    args: &ManifestsArgs,
    tree: &mut Tree,
    given: Option<&Given>,
) -> Result<Report, Fault> {
    let outlines = tree.outlines()?;
    let controls = args.controls();
    let objects = tree.objects(&outlines, args.world(), args.namespace.as_deref());
    let detail = if args.passed { Detail::All } else { Detail::Wrong };
    let waivers = given.map(|it| &it.waivers);
    let asked = Asked { objects: &objects, controls: &controls, waivers, detail };
    let numbers: Vec<usize> = objects.iter().map(|object| object.origin.file).collect();
    let open: Vec<_> = objects.unjudged().collect();
    let unjudged: Vec<usize> = open.iter().map(|it| it.origin.file).collect();
    let files = tree.files.len();
    let work: Vec<_> =
        by_file(files, &numbers).into_iter().zip(by_file(files, &unjudged)).enumerate().collect();
    let together = files.div_ceil(MOST_PARTS).max(1);
    let work: Vec<_> = work.chunks(together).collect();
    let (files, left_out) = (&tree.files, tree.left_out());
    let parts = side_by_side(&work, |some| {
        let (mut part, mut finder) = (Part::default(), Finder::new(files));
        for (file, (numbers, unjudged)) in some.iter() {
            if left_out.contains_key(file) || numbers.is_empty() && unjudged.is_empty() {
                continue;
            }
            let parsed = finder.parsed(*file);
            for it in &open[unjudged.clone()] {
                part.add_unjudged(it, &mut finder);
            }
            for number in numbers.clone() {
                let document = objects.get(number).origin.document;
                part.add(&asked, number, parsed.documents[document].value(), &mut finder);
            }
        }
        part
    });
    let mut report = Report::new(args.world(), args.profile, &controls);
    report.unread = tree.unseen();
    report.put_together(parts, waivers, detail);
    tree.tell_left_out(&mut report);
    Ok(report)
}

/// A part counts for every control: where there are more files than this, several are one part.
const MOST_PARTS: usize = 4096;

fn paint() -> Paint {
    match io::stdout().is_terminal() {
        true => Paint::Colours,
        false => Paint::Plain,
    }
}

impl ManifestsArgs {
    /// Gives the paths that are named.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Says how it is written.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Gives the day on which waivers are looked at.
    pub(super) fn day(&self) -> Date {
        self.day.unwrap_or_else(given::today)
    }

    /// Options that say how manifests are judged would say nothing of a cluster: none is passed over. Where something
    /// takes most of them, that is named.
    pub(super) fn refuse_what_is_of_manifests(&self, taken_by: Option<&str>) -> Result<(), Fault> {
        let given = [
            ("--severity", self.severity > Severity::Low),
            ("--control", !self.controls.is_empty()),
            ("--profile", !matches!(self.profile, Profile::All)),
            ("--waivers", self.waivers.is_some()),
            ("--baseline", self.baseline.is_some()),
            ("--fail-on", matches!(self.fail_on, FailOnArg::New)),
            ("--passed", self.passed),
        ];
        let is_given = |it: &(&str, bool)| it.1;
        if let Some((option, _)) = self.of_files().into_iter().find(is_given) {
            return Err(of_manifests(option, ""));
        }
        let or = taken_by.map(|it| format!("add {it}, or ")).unwrap_or_default();
        match given.into_iter().find(is_given) {
            Some((option, _)) => Err(of_manifests(option, &or)),
            None => Ok(()),
        }
    }

    /// What says how files are read would say nothing of the objects of a cluster.
    pub(super) fn refuse_what_is_of_files(&self) -> Result<(), Fault> {
        let paths = ("a path", !self.paths.is_empty());
        match self.of_files().into_iter().chain([paths]).find(|it| it.1) {
            Some((option, _)) => Err(Fault::usage(format!(
                "{option} is of files: leave it out where --objects judges what a cluster holds"
            ))),
            None => Ok(()),
        }
    }

    /// Gives the options that say how files are read, and whether they are given.
    fn of_files(&self) -> [(&'static str, bool); 2] {
        [("--world", self.world.is_some()), ("--namespace", self.namespace.is_some())]
    }

    /// Of a cluster no path is named: it is closed but for what it did not list.
    fn world(&self) -> World {
        match self.world {
            Some(WorldArg::Closed) => World::Closed,
            Some(WorldArg::Open) => World::Open,
            None if self.paths.iter().all(|path| path.is_dir()) => World::Closed,
            None => World::Open,
        }
    }

    fn controls(&self) -> Vec<&'static Guideline> {
        let is_named =
            |id: &str| self.controls.is_empty() || self.controls.iter().any(|it| it.id == id);
        let is_asked = |it: &&&'static Guideline| {
            it.severity >= self.severity && is_named(it.id) && self.profile.asks(it.id)
        };
        GUIDELINES.iter().filter(is_asked).copied().collect()
    }

    /// Names everything that what is said depends on.
    fn key(&self, tree: &Tree, beside: &Beside) -> Key {
        let Beside { day, waivers, before } = beside;
        let controls: Vec<&str> = self.controls().iter().map(|it| it.id).collect();
        let options = format!(
            "{:?} {:?} {:?} {} {:?} {:?} {} {day} {}",
            self.world(),
            self.namespace,
            controls,
            self.profile,
            self.fail_on,
            self.format,
            self.passed,
            matches!(paint(), Paint::Colours),
        );
        let mut key = Key::begin(&options);
        if let Some(given) = waivers {
            key.add(&given.file.name).add(&given.file.text);
        }
        if let Some(before) = before {
            key.add(before);
        }
        for file in &tree.files {
            key.add(&file.name).add(&file.text);
        }
        for unread in &tree.unread {
            key.add(&unread.to_string());
        }
        key
    }
}

fn of_manifests(option: &str, or: &str) -> Fault {
    Fault::usage(format!(
        "{option} is of manifests: {or}leave it out where machines or a cluster are judged"
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jiff::civil::date;

    use super::super::CheckArgs;

    /// The whole line, since what manifests need depends on what else is asked for.
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        check: CheckArgs,
    }

    #[test]
    fn rows_take_the_day_and_the_format_of_all_that_says_how_manifests_are_judged() {
        let read = |more: &[&str]| {
            Line::try_parse_from(["check", "facts.json"].iter().chain(more))
                .unwrap()
                .check
                .manifests
        };
        let args = read(&["--day", "2027-04-01", "--format", "sarif"]);
        assert!(args.refuse_what_is_of_manifests(None).is_ok());
        assert_eq!(args.day(), date(2027, 4, 1));
        for more in [&["--severity", "high"][..], &["--waivers", "w.yaml"], &["--passed"]] {
            assert!(read(more).refuse_what_is_of_manifests(None).is_err(), "{more:?}");
        }
    }
}
