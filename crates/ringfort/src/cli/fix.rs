//! `ringfort fix`: puts manifests right where they stand.

mod replace;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::civil::Date;
use ringfort_check::fix::{self, Asked, Fixed, Told, ToldFile};
use ringfort_check::world::World;
use ringfort_facts::manifest;
use ringfort_spec::nearest;

use super::check::given;
use super::check::tree::{File, Tree, side_by_side};
use super::{Fault, print};

/// Put manifests right: write what a control asks for, and leave every other byte as it is
///
/// Edits files in place: comments, order, quotes, ends of lines and the way in which lists and maps are written
/// stay. A fix is one control at one object. It is made whole, where afterwards the control is kept, no other
/// control is worse off and the text says nothing else; otherwise it is refused, with the place and the reason.
/// What is fixed confines programs: look at the difference before it reaches a cluster.
///
/// A user in an image is not guessed: `runAsUser: 0` goes, `runAsNonRoot: true` comes, and the kubelet starts no
/// container whose image is root's. A path of the node becomes an empty directory.
///
/// Patches of Kustomize and what it makes objects of are left alone and named; so are templates of charts. What a
/// waiver covers stays as it is.
///
/// Exit codes: 0 everything asked for holds, 1 a fix was refused or, with --dry-run, something would change,
/// 2 usage, or a file that was named cannot be read or is no object, 3 a file below a directory cannot be read,
/// or a chart is there, 4 a file could not be written.
#[derive(Args)]
pub struct FixArgs {
    /// Files of manifests, or directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing: show the change as a unified difference
    #[arg(long, visible_alias = "diff")]
    dry_run: bool,
    /// Fix this control alone; may be given more than once
    #[arg(long = "only", value_name = "CONTROL", value_parser = control)]
    only: Vec<&'static str>,
    /// Waivers, as in cluster.yaml: what they cover is left as it is
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    /// The day on which waivers have to hold; today where it is left out
    #[arg(long, value_name = "DATE")]
    day: Option<Date>,
    /// Say what was done as JSON
    #[arg(long)]
    json: bool,
}

fn control(id: &str) -> Result<&'static str, String> {
    fix::controls().find(|known| *known == id).ok_or_else(|| {
        let ids: Vec<&str> = fix::controls().collect();
        let near = nearest(id, &ids).map(|near| format!(": did you mean {near}?"));
        format!("no fix is known for it{}", near.unwrap_or_default())
    })
}

/// Runs the command.
pub fn run(args: &FixArgs) -> Result<ExitCode, Fault> {
    if args.paths.iter().any(|path| path == Path::new("-")) {
        return Err(Fault::usage("standard input has no place to be written back to: name a file"));
    }
    let day = args.day.unwrap_or_else(given::today);
    let waivers = args.waivers.as_deref().map(|path| given::waivers(path, day)).transpose()?;
    let (mut tree, left) = Tree::written(&args.paths)?;
    let outlines = tree.outlines()?;
    let controls: Vec<&str> = match args.only.as_slice() {
        [] => fix::controls().collect(),
        only => only.to_vec(),
    };
    // Whoever is not named may be elsewhere: no fix rests on what is absent.
    let objects = tree.objects(&outlines, World::Open, None);
    let asked = Asked { controls: &controls, waivers: waivers.as_ref().map(|it| &it.waivers) };
    let numbered: Vec<(usize, &File)> = tree.files.iter().enumerate().collect();
    let fixed = side_by_side(&numbered, |(number, file)| {
        let documents = manifest::read(&file.text).unwrap_or_default();
        fix::fix(&file.text, &documents, (&objects, *number), asked)
    });
    let mut done = Done { dry_run: args.dry_run, ..Done::default() };
    done.left.extend(left.iter().map(ToString::to_string));
    done.unread.extend(tree.unread.iter().map(ToString::to_string));
    let mut seen = BTreeSet::new();
    for (file, fixed) in tree.files.iter().zip(fixed) {
        // Two paths may lead to one file.
        if fs::canonicalize(&file.path).is_ok_and(|real| !seen.insert(real)) {
            continue;
        }
        done.take(file, fixed);
    }
    let code = done.code();
    done.tell(args.json)?;
    Ok(ExitCode::from(code))
}

/// What was done.
#[derive(Default)]
struct Done {
    dry_run: bool,
    files: Vec<ToldFile>,
    left: Vec<String>,
    unread: Vec<String>,
    unwritten: Vec<String>,
}

impl Done {
    /// Writes what became of a file, unless that is only asked about.
    fn take(&mut self, file: &File, fixed: Fixed) {
        let Fixed { text, fixes, refused, waived } = fixed;
        if fixes.is_empty() && refused.is_empty() && waived.is_empty() {
            return;
        }
        if let Some(text) = text.as_ref().filter(|_| !self.dry_run)
            && let Err(error) = replace::replace(&file.path, &file.text, text)
        {
            self.unwritten.push(format!("{}: it is left as it is: {error}", file.name));
            return;
        }
        let difference = text.map(|text| fix::difference(&file.name, &file.text, &text));
        let file = file.name.to_string();
        self.files.push(ToldFile { file, fixes, refused, waived, difference });
    }

    fn code(&self) -> u8 {
        let changes = || self.files.iter().any(|file| file.difference.is_some());
        match () {
            () if !self.unwritten.is_empty() => 4,
            () if self.files.iter().any(|file| !file.refused.is_empty()) => 1,
            () if self.dry_run && changes() => 1,
            () if !self.unread.is_empty() => 3,
            () => 0,
        }
    }

    fn tell(self, as_json: bool) -> Result<(), Fault> {
        let Self { dry_run, files, left, unread, unwritten } = self;
        left.iter().for_each(|who| eprintln!("left as it is: {who}"));
        unread.iter().chain(&unwritten).for_each(|why| eprintln!("error: {why}"));
        if as_json {
            let told = Told { version: 1, dry_run, files, left, unread, unwritten };
            let json = serde_json::to_string_pretty(&told).map_err(Fault::unable)?;
            print(&format!("{json}\n"));
            return Ok(());
        }
        let refused: String = files.iter().map(refusals).collect();
        match dry_run {
            // Standard output is a patch and nothing else.
            true => {
                print(
                    &files.iter().filter_map(|file| file.difference.as_deref()).collect::<String>(),
                );
                eprint!("{refused}");
            }
            false => print(&format!("{}{refused}{}", fixes(&files), summary(&files))),
        }
        Ok(())
    }
}

fn fixes(files: &[ToldFile]) -> String {
    let of_file = |file: &ToldFile| {
        let line = |fix: &fix::Fix| {
            let line = fix.lines.first().copied().unwrap_or(1);
            format!("{}:{line}: {}: {} fixed\n", file.file, fix.object, fix.control)
        };
        file.fixes.iter().map(line).collect::<String>()
    };
    files.iter().map(of_file).collect()
}

fn refusals(file: &ToldFile) -> String {
    let line = |said: &'static str| {
        move |it: &fix::Left| {
            format!("{}:{}: {}: {} {said}: {}\n", file.file, it.line, it.object, it.control, it.why)
        }
    };
    let waived = file.waived.iter().map(line("waived"));
    file.refused.iter().map(line("not fixed")).chain(waived).collect()
}

fn summary(files: &[ToldFile]) -> String {
    let fixed: usize = files.iter().map(|file| file.fixes.len()).sum();
    let refused: usize = files.iter().map(|file| file.refused.len()).sum();
    let waived: usize = files.iter().map(|file| file.waived.len()).sum();
    let written = files.iter().filter(|file| file.difference.is_some()).count();
    format!("fixed {fixed}, refused {refused}, waived {waived}, files written {written}\n")
}
