//! Logs: what a run did and met, on standard error, for whoever looks into it. What a person needs
//! to know is told without them.

use std::io::stderr;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::Fault;

/// What is logged, and how.
#[derive(Args)]
pub struct LogArgs {
    /// Log to standard error what is at least as grave
    ///
    /// RINGFORT_LOG says more precisely what is logged of which part, in the form of tracing's
    /// filters, such as ringfort_forge=debug; this option goes before it.
    #[arg(long, value_name = "LEVEL", value_enum, global = true, help_heading = "Log")]
    log_level: Option<Level>,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", value_enum, global = true, help_heading = "Log")]
    #[arg(default_value_t = Format::Text)]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

/// How much is logged where nobody asked for more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Usual {
    /// A command tells people what they need to know by itself.
    Nothing,
    /// A service tells the journal what changes, and the journal knows when.
    Changes,
}

const VARIABLE: &str = "RINGFORT_LOG";

impl LogArgs {
    /// Begins to log.
    ///
    /// # Errors
    /// The filter in the environment is none.
    pub fn begin(&self, usual: Usual) -> Result<(), Fault> {
        let named = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty());
        let filter = filter(self.log_level, named.as_deref(), usual).map_err(Fault::usage)?;
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
        // A subscriber that is there already serves as well.
        let _ = match (self.log_format, usual) {
            (Format::Json, _) => lines.json().flatten_event(true).try_init(),
            (Format::Text, Usual::Nothing) => lines.with_ansi(false).try_init(),
            (Format::Text, Usual::Changes) => {
                lines.with_ansi(false).without_time().with_target(false).try_init()
            }
        };
        Ok(())
    }
}

/// Chooses what is logged: by the command line, else by the environment, else what is usual. The
/// option is about ringfort's own parts alone.
fn filter(level: Option<Level>, named: Option<&str>, usual: Usual) -> Result<EnvFilter, String> {
    let own = match (level, named, usual) {
        (Some(level), ..) => match level {
            Level::Off => "off",
            Level::Error => "ringfort=error",
            Level::Warn => "ringfort=warn",
            Level::Info => "ringfort=info",
            Level::Debug => "ringfort=debug",
            Level::Trace => "ringfort=trace",
        },
        (None, Some(named), _) => named,
        (None, None, Usual::Nothing) => "off",
        (None, None, Usual::Changes) => "ringfort=info",
    };
    EnvFilter::try_new(own).map_err(|error| {
        format!("{VARIABLE} is {own:?}, which is no filter ({error}): try ringfort=debug")
    })
}

#[cfg(test)]
mod tests {
    use super::{Level, Usual, filter};

    #[test]
    fn the_option_goes_before_the_environment() {
        let check = |level, named, usual, expected: &str| {
            assert_eq!(filter(level, named, usual).unwrap().to_string(), expected);
        };
        check(None, None, Usual::Nothing, "off");
        check(None, None, Usual::Changes, "ringfort=info");
        check(None, Some("ringfort_host=trace"), Usual::Changes, "ringfort_host=trace");
        check(Some(Level::Debug), Some("ringfort=trace"), Usual::Nothing, "ringfort=debug");
        assert!(filter(None, Some("ringfort=loud"), Usual::Nothing).is_err());
    }
}
