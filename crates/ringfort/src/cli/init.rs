//! `ringfort init`: the first `cluster.yaml`. Arguments and output only; the file is made by
//! `ringfort-spec`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ringfort_model::name::ClusterName;
use ringfort_spec::{Paint, Report};

use super::Fault;

/// Writes a first, commented cluster.yaml for your machines.
///
/// Exit codes: 0 written, 1 written, and something in it has to change before it can be used, 2 usage, or the file
/// is there already, 4 it could not be written.
#[derive(clap::Args)]
pub struct InitArgs {
    /// The address of a control plane; give it once for each. Use 3, 5 or 7.
    #[arg(long = "control-plane", value_name = "ADDRESS", required = true, num_args = 1..)]
    control_planes: Vec<IpAddr>,
    /// The address of a worker; give it once for each. Use 3 or more.
    #[arg(long = "worker", value_name = "ADDRESS", required = true, num_args = 1..)]
    workers: Vec<IpAddr>,
    /// The name of the cluster: lower-case letters, digits and '-'.
    #[arg(long, default_value = "harbour", value_parser = cluster_name)]
    name: ClusterName,
    /// Where to write. An existing file is never overwritten.
    #[arg(long, value_name = "FILE", default_value = "cluster.yaml")]
    out: PathBuf,
}

/// Writes the file, and says on standard error what still has to change in it before it can be
/// used: then the exit code is 1.
pub fn run(args: &InitArgs) -> Result<ExitCode, Fault> {
    let text = ringfort_spec::template(&args.name, &args.control_planes, &args.workers);
    write_new(&args.out, &text)?;
    // Standard output may be closed; the file is there all the same.
    let _ = writeln!(std::io::stdout(), "{}", args.out.display());
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    match ringfort_spec::read(&text, &args.out.display().to_string(), &[], today) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(report) => Ok(tell(&report)),
    }
}

fn cluster_name(text: &str) -> Result<ClusterName, String> {
    ClusterName::new(text).map_err(|fault| fault.to_string())
}

fn write_new(path: &Path, text: &str) -> Result<(), Fault> {
    let fault = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => Fault::usage(Exists { path: path.to_owned() }),
        _ => Fault::unable(Unwritten { path: path.to_owned(), source }),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(fault)?;
    file.write_all(text.as_bytes()).map_err(fault)
}

fn tell(report: &Report) -> ExitCode {
    let text = format!(
        "{}\nthe file is written; change this in it before anything else\n",
        report.render(Paint::Plain)
    );
    // Standard error may be closed; there is nowhere else to say so.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(1)
}

/// Says that a file is there already.
#[derive(Debug, thiserror::Error)]
#[error("{} exists and is not overwritten: choose another file with --out", .path.display())]
struct Exists {
    path: PathBuf,
}

/// Says that a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written", .path.display())]
struct Unwritten {
    path: PathBuf,
    source: std::io::Error,
}

#[cfg(test)]
mod tests {
    use super::{Fault, write_new};

    #[test]
    fn an_existing_file_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cluster.yaml");
        write_new(&path, "first").unwrap();
        let said = write_new(&path, "second").unwrap_err();
        assert!(format!("{said:?}").contains("Exists"), "{said:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        let nowhere: Result<(), Fault> = write_new(&directory.path().join("no/such"), "");
        assert!(nowhere.is_err());
    }
}
