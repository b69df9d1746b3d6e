//! Reading `cluster.yaml` for a command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use jiff::Zoned;
use jiff::civil::Date;
use ringfort_check::benchmark::{self, rows};
use ringfort_check::guidelines::GUIDELINES;
use ringfort_spec::{Known, Limit, Spec};

use super::{Fault, print};

/// Which cluster a command is about.
#[derive(clap::Args)]
pub struct SpecFile {
    /// The cluster's specification
    #[arg(short, long, value_name = "FILE", default_value = "cluster.yaml", global = true)]
    pub file: PathBuf,
}

/// Reads and checks the specification.
pub fn read(file: &Path) -> Result<Spec, Fault> {
    read_with_text(file).map(|(_, spec)| spec)
}

/// Reads and checks the specification as it stands on a day.
pub fn read_on(file: &Path, day: Date) -> Result<Spec, Fault> {
    text_on(file, day).map(|(_, spec)| spec)
}

/// Reads and checks the specification, and gives the text that it was read from.
pub fn read_with_text(file: &Path) -> Result<(String, Spec), Fault> {
    text_on(file, Zoned::now().date())
}

fn text_on(file: &Path, day: Date) -> Result<(String, Spec), Fault> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Fault::usage(format!(
            "{} cannot be read ({error}): write one with `ringfort init`, or name it with --file",
            file.display()
        ))
    })?;
    let name = file.display().to_string();
    let spec = ringfort_spec::read(&text, &name, &known(), day).map_err(Fault::usage)?;
    Ok((text, spec))
}

/// Names of the rows of the benchmark, as waivers call them.
static ROWS: LazyLock<Vec<String>> = LazyLock::new(|| rows().map(benchmark::id).collect());

/// What waivers may name: controls, what is asked of objects, and recommendations.
pub fn known() -> Vec<Known> {
    let limits: &[Limit] = &[Limit::Cluster, Limit::Named, Limit::Nodes];
    let mut known = ringfort_controls::known();
    let guidelines = GUIDELINES.iter().map(|guideline| guideline.id);
    let rows = ROWS.iter().map(String::as_str);
    known.extend(guidelines.chain(rows).map(|id| Known { id, limits }));
    known
}

/// Print the JSON Schema of cluster.yaml, for editors, or of what check and fix write
///
/// Exit codes: 0 printed, 2 usage.
#[derive(clap::Args)]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = SchemaOf::Cluster)]
    of: SchemaOf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SchemaOf {
    /// cluster.yaml
    Cluster,
    /// What check --format json writes
    Check,
    /// What fix --json writes
    Fix,
}

/// Prints a JSON Schema.
pub fn schema(args: &SchemaArgs) -> Result<ExitCode, Fault> {
    let schema = match args.of {
        SchemaOf::Cluster => serde_json::to_value(ringfort_spec::schema()),
        SchemaOf::Check => serde_json::to_value(ringfort_check::report::schema()),
        SchemaOf::Fix => serde_json::to_value(ringfort_check::fix::schema()),
    };
    let schema = schema.map_err(Fault::unable)?;
    let text = serde_json::to_string_pretty(&schema).map_err(Fault::unable)?;
    print(&format!("{text}\n"));
    Ok(ExitCode::SUCCESS)
}

/// A short specification with more lines behind it, for tests.
#[cfg(test)]
pub fn sample(more: &str) -> Spec {
    let text = format!(
        "apiVersion: ringfort.dev/v1\nkind: Cluster\nname: harbour\nkubernetes: \"1.37\"\n\
         controlPlanes: [10.0.0.11, 10.0.0.12, 10.0.0.13]\n\
         workers: [10.0.0.21, 10.0.0.22, 10.0.0.23]\n{more}"
    );
    let spec =
        ringfort_spec::read(&text, "cluster.yaml", &known(), jiff::civil::date(2026, 11, 23));
    spec.unwrap_or_else(|report| panic!("{report}"))
}
