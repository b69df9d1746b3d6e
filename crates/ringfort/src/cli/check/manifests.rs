//! `ringfort check PATH`: judges all objects of manifests together, by every guideline.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
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

use super::cache::{Cache, Key};
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

/// Runs the command.
pub fn run(args: &ManifestsArgs) -> Result<ExitCode, Fault> {
    let mut tree = Tree::read(&args.paths)?;
    let day = args.day.unwrap_or_else(given::today);
    let waivers = args.waivers.as_deref().map(|path| given::waivers(path, day)).transpose()?;
    let before = given::baseline_text(args.baseline.as_ref())?;
    let cache = if args.no_cache { None } else { Cache::find(tree.bytes()) };
    let key = cache.as_ref().map(|_| args.key(&tree, day, waivers.as_ref(), before.as_deref()));
    if let Some((cache, key)) = cache.as_ref().zip(key.as_ref())
        && let Some(kept) = cache.get(key)
    {
        return Ok(written::again(&kept));
    }
    let mut report = judge(args, &mut tree, waivers.as_ref())?;
    if let Some((path, text)) = args.baseline.as_ref().zip(before.as_deref()) {
        report.compare(&given::baseline(path, text)?);
    }
    let code = report.code(match args.fail_on {
        FailOnArg::Any => FailOn::Any,
        FailOnArg::New => FailOn::New,
    });
    let told: String = report.unread.iter().map(|unread| format!("error: {unread}\n")).collect();
    let files = tree.files.iter().chain(waivers.as_ref().map(|it| &it.file));
    let mut output = Output::new(cache.zip(key).and_then(|(cache, key)| cache.begin(&key)));
    eprint!("{told}");
    args.format.write(&report, files, paint(), day, &mut output).map_err(Fault::unable)?;
    output.finish(&told, code);
    Ok(ExitCode::from(code))
}

/// Judges a tree file by file. What others rest on is known before the first is judged.
fn judge(args: &ManifestsArgs, tree: &mut Tree, given: Option<&Given>) -> Result<Report, Fault> {
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
    let parts = side_by_side(&work, |(file, (numbers, unjudged))| {
        let mut part = Part::default();
        if numbers.is_empty() && unjudged.is_empty() {
            return part;
        }
        let mut finder = Finder::new(&tree.files);
        let parsed = finder.parsed(*file);
        for it in &open[unjudged.clone()] {
            part.add_unjudged(it, &mut finder);
        }
        for number in numbers.clone() {
            let document = objects.get(number).origin.document;
            part.add(&asked, number, parsed.documents[document].value(), &mut finder);
        }
        part
    });
    let mut report = Report::new(args.world(), args.profile, &controls);
    report.unread = tree.unread.iter().map(ToString::to_string).collect();
    report.put_together(parts, waivers, detail);
    Ok(report)
}

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

    /// Options that say how manifests are judged would say nothing of a cluster: none is passed over.
    pub(super) fn refuse_what_is_of_manifests(&self) -> Result<(), Fault> {
        let is_written = matches!(self.format, Format::Table | Format::Json);
        let given = [
            ("--format, other than table and json,", !is_written),
            ("--world", self.world.is_some()),
            ("--namespace", self.namespace.is_some()),
            ("--severity", self.severity > Severity::Low),
            ("--control", !self.controls.is_empty()),
            ("--profile", !matches!(self.profile, Profile::All)),
            ("--waivers", self.waivers.is_some()),
            ("--baseline", self.baseline.is_some()),
            ("--fail-on", matches!(self.fail_on, FailOnArg::New)),
            ("--passed", self.passed),
            ("--day", self.day.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(Fault::usage(format!(
                "{option} is of manifests: leave it out where machines or a cluster are judged"
            ))),
            None => Ok(()),
        }
    }

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
    fn key(&self, tree: &Tree, day: Date, given: Option<&Given>, before: Option<&str>) -> Key {
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
        if let Some(given) = given {
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
