//! `ringfort bundle`: binaries and images with a lock of their digests. Arguments and output only;
//! the room is `ringfort_forge::bundle`.

mod verify;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use indicatif::{ProgressBar, ProgressStyle};

use ringfort_controls::versions::pinned_by_digest::support::{
    Ends, kubernetes_soon, listed, of_kubernetes,
};
use ringfort_forge::bundle::{
    BuildError, Bundle, Checksums, DirectoryError, Order, Progress, PublishedError, Sourcing,
    again, build, build_program, cache_directory, published,
};
use ringfort_model::bundle::BundleLock;
use ringfort_model::version::KubeVersion;

use super::session::now_s;
use super::{Fault, print};
use verify::Verify;

/// Binaries and images of a cluster, with a lock of their digests
///
/// A bundle is a directory that can be carried to a site without a network. It is built from Go
/// modules, checked by Go's checksum database, or from upstream's release files, checked by
/// checksums that you pin. Built twice, it is the same, byte for byte.
#[derive(Args)]
pub struct BundleArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a bundle and print its directory; what is finished is kept, so run again after a fault
    ///
    /// Exit codes: 0 it is there, 1 built again it is another (with --check-reproducible), 2 usage or bad input, 4
    /// something could not be done (run it again).
    Build(Build),
    /// Ask upstream for the digests of a release's files and print them as a file of checksums
    ///
    /// They are as true as the sites that they come from: compare them with a second source, keep them
    /// beside cluster.yaml, sign them with minisign, and build by them:
    /// `ringfort bundle build --source upstream --checksums FILE --checksums-key KEY`.
    ///
    /// Exit codes: 0 all were found, 2 usage or unknown release, 4 upstream or its mirror did not give one.
    Pins(Pins),
    /// Read every file and say which are not what the lock says, or build all again and compare
    ///
    /// With --rebuild, once every file is what the lock says, each program is built again from its module and each
    /// image packed again, in a directory of the cache that is removed afterwards, and the digests are compared with
    /// the lock. No program that was finished before is used. Packages that Go has compiled before come from Go's
    /// cache, and programs are linked anew; with --cold packages are compiled as well, which takes about as long as the
    /// first build. Modules come from Go's module cache as they lie there: name an empty directory with GOMODCACHE to
    /// have them fetched and their sums checked again. It needs Go in the very version that the lock names and, for
    /// runc, the C compiler and libseccomp of then. Upstream's release files are not built here.
    ///
    /// Exit codes: 0 everything is what the lock says, 1 something is not, 2 usage, or there is no bundle, 3 a file
    /// cannot be read, or something could not be built or compared and nothing else differs.
    Verify(Verify),
    /// Show what is in a bundle, and until when upstreams mend it
    ///
    /// Exit codes: 0 shown, 2 usage, or there is no bundle, 3 its lock cannot be read.
    Show {
        /// The bundle's directory
        directory: PathBuf,
        /// Write the lock as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Build {
    /// The release of Kubernetes: a minor, or with the patch that is pinned for it
    #[arg(long, default_value = "1.37", value_name = "VERSION")]
    kubernetes: KubeVersion,
    /// Where binaries come from
    #[arg(long, value_enum, default_value_t = From::Modules)]
    source: From,
    /// Copy the bundle to this directory, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For upstream: a file of checksums, as `ringfort bundle pins` prints it
    #[arg(long, value_name = "FILE", required_if_eq("source", "upstream"))]
    checksums: Option<PathBuf>,
    /// For upstream: a minisign public key; the checksums' signature is in FILE.minisig
    #[arg(long, value_name = "FILE", requires = "checksums")]
    checksums_key: Option<PathBuf>,
    /// For upstream: a server that has every host as a directory
    #[arg(long, value_name = "URL", requires = "checksums")]
    mirror: Option<String>,
    /// Put these certificates (PEM) into the API server's image, for issuers of people's tokens
    #[arg(long, value_name = "FILE")]
    ca_certificates: Option<PathBuf>,
    /// Build everything a second time from nothing and compare
    #[arg(long)]
    check_reproducible: bool,
    /// Build one program and print its path
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["out", "check_reproducible"])]
    only: Option<String>,
}

#[derive(Args)]
struct Pins {
    /// The release of Kubernetes: a minor, or with the patch that is pinned for it
    #[arg(long, default_value = "1.37", value_name = "VERSION")]
    kubernetes: KubeVersion,
    /// A server that has every host as a directory
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum From {
    /// Go modules, checked by Go's checksum database
    Modules,
    /// Upstream's release files, checked by pinned checksums
    Upstream,
}

/// Runs the command.
pub fn run(args: BundleArgs) -> Result<ExitCode, Fault> {
    match args.verb {
        Verb::Build(args) => make(&args),
        Verb::Pins(args) => pins(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::Show { directory, json } => show(&directory, json),
    }
}

fn make(args: &Build) -> Result<ExitCode, Fault> {
    let order = order(args)?;
    if let Some(path) = args.out.clone().filter(|path| path.exists()) {
        return Err(not_opened(DirectoryError::Exists { path }));
    }
    let cache = cache()?;
    if let Some(name) = &args.only {
        println!("{}", build_program(&order, name, &cache).map_err(not_built)?.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut watch = Watch::new();
    let mut directory = build(&order, &cache, &mut |at| watch.see(at)).map_err(not_built)?;
    let differing = if args.check_reproducible {
        again(&order, &directory, &cache, &mut |at| watch.see(at)).map_err(not_built)?
    } else {
        Vec::new()
    };
    watch.end();
    if let Some(out) = &args.out {
        let copied = Bundle::open(&directory).and_then(|bundle| bundle.copy(out));
        copied.map_err(|error| match error {
            DirectoryError::File(_) => Fault::unable(error),
            other => not_opened(other),
        })?;
        directory.clone_from(out);
    }
    for what in &differing {
        eprintln!("{what}: the second build gave other bytes");
    }
    println!("{}", directory.display());
    Ok(if differing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn cache() -> Result<PathBuf, Fault> {
    let cache = cache_directory(|name| env::var_os(name));
    cache.ok_or_else(|| Fault::usage("neither XDG_CACHE_HOME nor HOME is set"))
}

fn pins(args: &Pins) -> Result<ExitCode, Fault> {
    match published(args.kubernetes, args.mirror.as_deref()) {
        Ok(checksums) => print(&checksums),
        Err(PublishedError::Release(error)) => return Err(not_built(error)),
        Err(error) => return Err(Fault::unable(error)),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(directory: &Path, json: bool) -> Result<ExitCode, Fault> {
    let bundle = Bundle::open(directory).map_err(not_opened)?;
    if json {
        print(&bundle.lock().render());
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("{}\n", table(bundle.lock())));
    let lock = bundle.lock();
    let compiler = lock.compiler.as_deref().unwrap_or("upstream's releases");
    println!(
        "\nKubernetes {} from {} ({compiler}), lock {}",
        lock.kubernetes,
        lock.source,
        bundle.digest()
    );
    for tool in &lock.host_tools {
        let at_least =
            tool.at_least.as_deref().map_or_else(String::new, |v| format!(" {v} or later"));
        println!("machines bring {}{at_least}: {}", tool.name, tool.why);
    }
    print(&mended(lock, now_s()));
    Ok(ExitCode::SUCCESS)
}

/// Tells until when upstreams mend what is in a bundle, a line for each.
fn mended(lock: &BundleLock, now_s: i64) -> String {
    let entries = lock.entries.iter().map(|entry| (entry.name.as_str(), entry.version.as_str()));
    let ends = Ends::of(entries, now_s);
    let within = [of_kubernetes(lock.kubernetes.minor)].into_iter().chain(ends.within);
    let within = within.map(|said| format!("mended: {said}\n"));
    let soon = kubernetes_soon(lock.kubernetes.minor, now_s).into_iter().chain(ends.soon);
    let soon = soon.map(|said| format!("ends within 60 days: {said}\n"));
    let other = ends.over.into_iter().chain(ends.unknown).map(|said| format!("{said}\n"));
    let mut text: String = within.chain(soon).chain(other).collect();
    if !ends.no_day.is_empty() {
        text += &format!("no window known: {}\n", listed(&ends.no_day));
    }
    text
}

fn table(lock: &BundleLock) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["KIND", "NAME", "VERSION", "MIB", "SHA256", "LICENCE", "ORIGIN"]);
    for entry in &lock.entries {
        table.add_row([
            entry.kind.to_string(),
            entry.reference.clone().unwrap_or_else(|| entry.name.clone()),
            entry.version.clone(),
            format!("{:.1}", entry.size as f64 / f64::from(1 << 20)),
            entry.sha256.short().to_owned(),
            entry.licence.clone(),
            entry.origin.clone(),
        ]);
    }
    table
}

fn order(args: &Build) -> Result<Order, Fault> {
    let authorities = authorities(args.ca_certificates.as_deref())?;
    let sourcing = match args.source {
        From::Modules => Sourcing::Modules,
        From::Upstream => {
            Sourcing::Upstream { checksums: checksums(args)?, mirror: args.mirror.clone() }
        }
    };
    Ok(Order { kubernetes: args.kubernetes, sourcing, authorities })
}

fn checksums(args: &Build) -> Result<Checksums, Fault> {
    let path = args.checksums.as_deref().expect("the command line requires it for upstream");
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| unread(path, &error));
    let text = read(path)?;
    let Some(key) = &args.checksums_key else {
        return Checksums::parse(&text).map_err(Fault::usage);
    };
    let mut signature = path.as_os_str().to_owned();
    signature.push(".minisig");
    let signature = read(Path::new(&signature))?;
    Checksums::parse_signed(&text, &signature, &read(key)?).map_err(Fault::usage)
}

fn authorities(path: Option<&Path>) -> Result<Option<Vec<u8>>, Fault> {
    let read = |path: &Path| fs::read(path).map_err(|error| unread(path, &error));
    path.map(read).transpose()
}

fn unread(path: &Path, error: &io::Error) -> Fault {
    Fault::usage(format!("{} cannot be read: {error}", path.display()))
}

fn not_built(error: BuildError) -> Fault {
    match error {
        BuildError::UnknownRelease { .. } | BuildError::UnknownProgram { .. } => {
            Fault::usage(error)
        }
        _ => Fault::unable(error),
    }
}

fn not_opened(error: DirectoryError) -> Fault {
    match error {
        DirectoryError::File(_) => Fault::blind(error),
        _ => Fault::usage(error),
    }
}

/// Shows on standard error how far a build is: a line for each finished program, and on a terminal
/// what is being made.
struct Watch {
    bar: ProgressBar,
}

impl Watch {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        let bar = ProgressBar::new_spinner().with_style(style.expect("the template is right"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    fn see(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Making { name, number, of } => {
                self.bar.reset_elapsed();
                self.bar.set_message(format!("{number}/{of} {name}"));
            }
            Progress::Made { name, number, of, seconds, kept } => {
                let how = if kept { "kept".to_owned() } else { format!("made in {seconds} s") };
                self.bar.suspend(|| eprintln!("{number}/{of} {name}: {how}"));
            }
            Progress::Packing => self.bar.set_message("packing images, list and lock"),
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
