//! `ringfort integrity scan`: looks at everything protected once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ringfort_integrity::baseline::{Entries, Header, Trusted, read_text as read_baseline};
use ringfort_integrity::change::{Finding, Unknown, VERSION};
use ringfort_integrity::os::{
    LayerScan, Pace, PackageScan, Scan, scan, scan_layers, scan_packages,
};
use ringfort_integrity::protected::Protection;
use ringfort_model::blueprint::Role;
use serde::Serialize;

use super::{not_compared, read, text};
use crate::cli::{Fault, print};

/// Look at everything protected below a root, and say what is not as it should be
///
/// Nothing needs to run there: the root may be a disk of a machine that is off. Links are not followed, and
/// nothing but regular files is opened.
///
/// Without a baseline only that is judged which holds for every machine: modes, owners, and files that should
/// not be there. Nobody knows then what the files should hold, so it ends with 3 at best.
///
/// With --packages all files of packages are compared with dpkg's database as well, and what no package brought
/// is told where all came with one: programs, libraries, units. The database has no signature and MD5 alone.
///
/// With --layers what containers wrote into their own roots is held against their images, as containerd stacked
/// them below the root: what can be run and came with no image, and files of images that are others or gone.
///
/// Exit codes: 0 all is as it should be, 1 something is not, 2 usage, or the baseline is not to be believed,
/// 3 something could not be compared.
#[derive(Args)]
pub struct ScanArgs {
    /// The directory that is the machine's root
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// What should be there
    #[arg(long, value_name = "FILE", requires = "key")]
    baseline: Option<PathBuf>,
    /// The public half of the key that signs baselines, as `ringfort integrity key` prints it
    #[arg(long, value_name = "FILE", requires = "baseline")]
    key: Option<PathBuf>,
    /// Refuse a baseline of another machine
    #[arg(long, value_name = "NAME", requires = "baseline")]
    node: Option<String>,
    /// Refuse a baseline with a lower number
    #[arg(long, value_name = "NUMBER", requires = "baseline", default_value_t = 0)]
    least: u64,
    /// What the machine is, where no baseline says it
    #[arg(long, value_enum, conflicts_with = "baseline", default_value_t = Kind::ControlPlane)]
    role: Kind,
    /// Compare the files of packages with the package database below the root
    #[arg(long)]
    packages: bool,
    /// Compare what containers wrote into their own roots with their images
    #[arg(long)]
    layers: bool,
    /// Read so many megabytes a second at most
    #[arg(long, value_name = "MEGABYTES")]
    rate: Option<u64>,
    /// Write an object for programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    ControlPlane,
    Worker,
}

#[derive(Serialize)]
struct Told<'a> {
    version: u32,
    baseline: Option<&'a Header>,
    #[serde(flatten)]
    scan: &'a Scan,
    #[serde(skip_serializing_if = "Option::is_none")]
    packages: Option<&'a PackageScan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<&'a LayerScan>,
}

/// Looks once.
///
/// # Errors
/// The baseline is refused, or the root cannot be opened.
pub fn run(args: &ScanArgs) -> Result<ExitCode, Fault> {
    let (header, entries) = expected(args)?;
    let pace = || args.rate.map_or_else(Pace::free, |rate| Pace::bounded(rate << 20));
    let no_root = |error| Fault::usage(format!("{}: {error}", args.root.display()));
    let found = scan(&args.root, &entries, pace()).map_err(no_root)?;
    let packages = match args.packages {
        true => Some(scan_packages(&args.root, &entries, pace()).map_err(no_root)?),
        false => None,
    };
    let layers = match args.layers {
        true => Some(scan_layers(&args.root, pace()).map_err(no_root)?),
        false => None,
    };
    let (packages, layers) = (packages.as_ref(), layers.as_ref());
    print(&if args.json {
        let (baseline, scan) = (header.as_ref(), &found);
        let told = Told { version: VERSION, baseline, scan, packages, layers };
        serde_json::to_string_pretty(&told).map_err(Fault::unable)? + "\n"
    } else {
        let more = [packages.map(of_packages), layers.map(of_layers)];
        more.into_iter().flatten().collect::<String>() + &people(header.as_ref(), &found)
    });
    let is_found = !found.findings.is_empty()
        || packages.is_some_and(|it| it.findings_count > 0)
        || layers.is_some_and(|it| it.findings_count > 0);
    let is_unseen = !found.unknown.is_empty()
        || packages.is_some_and(|it| it.unknown_count > 0)
        || layers.is_some_and(|it| it.unknown_count > 0);
    Ok(ExitCode::from(match is_found {
        true => 1,
        false if header.is_none() || is_unseen => 3,
        false => 0,
    }))
}

fn expected(args: &ScanArgs) -> Result<(Option<Header>, Entries), Fault> {
    let (Some(file), Some(key)) = (&args.baseline, &args.key) else {
        let role = match args.role {
            Kind::ControlPlane => Role::ControlPlane,
            Kind::Worker => Role::Worker,
        };
        return Ok((None, Entries::of(&Protection::derive(None, &[], role))));
    };
    let key = text(key)?;
    let trusted = Trusted { key: &key, node: args.node.as_deref(), least: args.least };
    let refused = |error| Fault::usage(format!("{}: {error}", file.display()));
    let baseline = read_baseline(&read(file)?, &trusted).map_err(refused)?;
    Ok((Some(baseline.header), baseline.entries))
}

fn finding(finding: &Finding, of: &str) -> String {
    let mut text = format!("{}: {}{of}\n", finding.severity, finding.path);
    for each in &finding.differences {
        let (of, expected, found) = (each.of, &each.expected, &each.found);
        text.push_str(&format!("  {of}: should be {expected}, is {found}\n"));
    }
    text
}

fn unknown(unknown: &Unknown) -> String {
    format!("unknown: {}\n  {}\n", unknown.path, unknown.why)
}

fn of_packages(scan: &PackageScan) -> String {
    let mut text = String::new();
    for it in &scan.findings {
        let of = it.package.as_ref().map(|package| format!(" of {package}"));
        text.push_str(&finding(&it.finding, &of.unwrap_or_default()));
    }
    text.extend(scan.unknown.iter().map(unknown));
    text.push_str(&unnamed(scan.findings_count, scan.findings.len(), "not as they should be"));
    text.push_str(&unnamed(scan.unknown_count, scan.unknown.len(), "unknown"));
    let PackageScan { packages, files, findings_count, unknown_count, .. } = scan;
    text.push_str(&format!(
        "{files} files of {packages} packages compared: {findings_count} not as they should be, \
         {unknown_count} unknown\n"
    ));
    let others = [
        (scan.settings.len() as u64, "settings that were changed since they came"),
        (scan.generated, "files that packages made here"),
        (scan.left_out, "files that dpkg was told to leave out"),
    ];
    let others = others.iter().filter(|(count, _)| *count > 0);
    text.extend(others.map(|(count, what)| format!("no findings: {count} {what}\n")));
    text
}

fn of_layers(scan: &LayerScan) -> String {
    let mut text = String::new();
    for it in &scan.findings {
        text.push_str(&format!("{}: {}\n", it.finding.severity, it.finding.path));
        text.push_str(&format!("  {}\n", it.drift.text()));
        for each in &it.finding.differences {
            let (of, expected, found) = (each.of, &each.expected, &each.found);
            text.push_str(&format!("  {of}: its image has {expected}, it is {found}\n"));
        }
    }
    text.extend(scan.unknown.iter().map(unknown));
    text.push_str(&unnamed(
        scan.findings_count,
        scan.findings.len(),
        "not as their images have them",
    ));
    text.push_str(&unnamed(scan.unknown_count, scan.unknown.len(), "unknown"));
    let LayerScan { containers, paths, findings_count, unknown_count, .. } = scan;
    text.push_str(&format!(
        "{paths} paths that {containers} containers wrote compared: {findings_count} not as their \
         images have them, {unknown_count} unknown\n"
    ));
    text
}

fn unnamed(count: u64, named: usize, what: &str) -> String {
    match count - named as u64 {
        0 => String::new(),
        more => format!("{what}: {more} more, which are not named\n"),
    }
}

fn people(header: Option<&Header>, scan: &Scan) -> String {
    let mut text: String = scan.findings.iter().map(|it| finding(it, "")).collect();
    text.extend(scan.unknown.iter().map(unknown));
    let counts = [(scan.findings.len(), "not as they should be"), (scan.unknown.len(), "unknown")];
    let counts: Vec<String> =
        counts.iter().map(|(count, what)| format!("{count} {what}")).collect();
    text.push_str(&format!("{} paths looked at: {}\n", scan.entries, counts.join(", ")));
    text.push_str(&not_compared(scan.unstated, scan.watched));
    text.push_str(&match header {
        Some(it) => format!("by the baseline of {} with number {}\n", it.node, it.counter),
        None => "without a baseline: what files should hold is not known\n".to_owned(),
    });
    text
}
