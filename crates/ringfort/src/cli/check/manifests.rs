//! `ringfort check PATH`: judges all objects of manifests together, by every guideline.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ringfort_check::guideline::Guideline;
use ringfort_check::guidelines::{GUIDELINES, find};
use ringfort_check::judge::{Judged, judge};
use ringfort_check::judgement::Judgement;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest::{self, Document};
use ringfort_model::severity::Severity;
use ringfort_spec::{Problem, Report, nearest};

use super::written::Written;
use super::{drawn, place};
use crate::cli::files::{self, Unread};
use crate::cli::{Fault, print};

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
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum WorldArg {
    /// All objects were given: what is absent is not there
    Closed,
    /// There may be more: whether something is absent is unknown
    Open,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// For people: each place that is not as it should be, why that matters, and what to change
    Table,
    /// An object: counts for each control, findings, what is unknown, what was not read
    Json,
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
    let tree = Tree::read(&args.paths)?;
    let is_asked = |guideline: &&&'static Guideline| {
        let is_named = || args.controls.iter().any(|it| it.id == guideline.id);
        guideline.severity >= args.severity && (args.controls.is_empty() || is_named())
    };
    let asked: Vec<_> = GUIDELINES.iter().filter(is_asked).copied().collect();
    let objects = tree.objects(args.world(), args.namespace.as_deref());
    let mut written = Written::new(args.world(), &asked, &tree, &objects);
    let mut problems = Problems::new(&tree, &objects);
    for number in 0..objects.iter().count() {
        let judged = judge(&objects, number, &asked);
        written.add(number, &judged);
        if matches!(args.format, Format::Table) {
            problems.add(number, &judged);
        }
    }
    tree.unread.iter().for_each(|unread| eprintln!("error: {unread}"));
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&written).map_err(Fault::unable)?;
            print(&format!("{json}\n"));
        }
        Format::Table => {
            print(&format!("{}{}\n", drawn(&problems.reports()), written.in_a_line()));
        }
    }
    Ok(ExitCode::from(written.code()))
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

    fn world(&self) -> World {
        match self.world {
            Some(WorldArg::Closed) => World::Closed,
            Some(WorldArg::Open) => World::Open,
            None if self.paths.iter().all(|path| path.is_dir()) => World::Closed,
            None => World::Open,
        }
    }
}

/// All files that could be read, and those that could not.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    pub(super) unread: Vec<Unread>,
}

/// A file with the documents in it.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) documents: Vec<Document>,
}

impl Tree {
    /// Reads files, and all below directories. What cannot be read is kept, unless it was named itself.
    fn read(paths: &[PathBuf]) -> Result<Self, Fault> {
        let mut tree = Self { files: Vec::new(), unread: Vec::new() };
        for path in paths {
            let is_named = !path.is_dir();
            for file in files::manifests(path).map_err(Fault::usage)? {
                match File::read(&file) {
                    Ok(file) => tree.files.push(file),
                    Err(unread) if is_named => return Err(Fault::usage(unread)),
                    Err(unread) => tree.unread.push(unread),
                }
            }
        }
        Ok(tree)
    }

    fn objects<'t>(&'t self, world: World, usual: Option<&'t str>) -> Objects<'t> {
        let mut objects = Objects::new(world, usual);
        for (number, file) in self.files.iter().enumerate() {
            for document in &file.documents {
                let origin = Origin { file: number, document: document.index() };
                objects.add(origin, document.value());
            }
        }
        self.unread.iter().for_each(|unread| objects.add_unread(unread.name.clone()));
        objects
    }

    pub(super) fn document(&self, origin: Origin) -> &Document {
        &self.files[origin.file].documents[origin.document]
    }
}

/// What is wrong with files, for people.
struct Problems<'t> {
    tree: &'t Tree,
    objects: &'t Objects<'t>,
    of_file: Vec<Vec<Problem>>,
}

impl<'t> Problems<'t> {
    /// Begins with what cannot be judged.
    fn new(tree: &'t Tree, objects: &'t Objects<'t>) -> Self {
        let of_file = tree.files.iter().map(|_| Vec::new()).collect();
        let mut problems = Self { tree, objects, of_file };
        for unjudged in objects.unjudged() {
            let (range, _) = place(tree.document(unjudged.origin), &unjudged.pointer);
            let problem = Problem::new("unreadable", range, unjudged.gap.said.clone());
            problems.of_file[unjudged.origin.file].push(problem.help(unjudged.gap.closes.clone()));
        }
        problems
    }

    /// Adds what is wrong with an object.
    fn add(&mut self, number: usize, judged: &Judged) {
        for it in &judged.unreadable {
            self.tell(number, &it.pointer, "unreadable", it.why.clone(), TAKES.to_owned());
        }
        for (guideline, judgement) in &judged.judgements {
            let title = sentence(guideline.title);
            match judgement {
                Judgement::Fail(findings) => findings.iter().for_each(|it| {
                    let help = format!("{}\nwhy: {}", it.fault.remedy, sentence(&guideline.why()));
                    self.tell(it.object, &it.fault.pointer, guideline.id, title.clone(), help);
                }),
                Judgement::Unknown(missing) => {
                    let own = missing.iter().filter(|it| judged.is_missing_by_itself(it));
                    own.for_each(|it| {
                        let message = format!("unknown whether {title}");
                        let help = format!("{}; {}", it.gap.said, it.gap.closes);
                        self.tell(it.object, &it.pointer, guideline.id, message, help);
                    });
                }
                Judgement::Pass(_) | Judgement::NotApplicable(_) => {}
            }
        }
    }

    fn tell(&mut self, object: usize, at: &str, code: &'static str, message: String, help: String) {
        let object = self.objects.get(object);
        let (range, missing) = place(self.tree.document(object.origin), at);
        let whose = format!("{} {}", object.kind.name, object.name());
        let label = match missing.as_str() {
            "" => whose,
            missing => format!("{whose}: {missing} is not set"),
        };
        let problem = Problem::new(code, range, message).label(label).help(help);
        self.of_file[object.origin.file].push(problem);
    }

    /// Gives a report for each file where something is wrong.
    fn reports(self) -> Vec<Report> {
        let with = |(file, problems): (&File, Vec<Problem>)| {
            (!problems.is_empty()).then(|| Report::new(&file.name, &file.text, problems))
        };
        self.tree.files.iter().zip(self.of_file).filter_map(with).collect()
    }
}

/// What closes the gap where an object is not as Kubernetes reads it.
pub(super) const TAKES: &str = "write what Kubernetes takes";

impl File {
    fn read(path: &Path) -> Result<Self, Unread> {
        let text = files::text(path)?;
        let documents = manifest::read(&text).map_err(|error| Unread::of(path, &error))?;
        Ok(Self { name: path.display().to_string(), text, documents })
    }
}

/// A title as a part of a sentence.
fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
