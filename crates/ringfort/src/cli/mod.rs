//! The command line: one file for each command, holding its arguments and its output. A command
//! calls a room and shows what came back; it never does the work itself.

mod audit;
mod break_glass;
mod bundle;
mod canaries;
mod check;
mod coverage;
mod credentials;
mod cursor;
mod decision;
mod evidence;
mod explain;
mod files;
mod fix;
mod foreign;
mod gate;
mod gather;
mod hand_over;
mod init;
mod integrity;
mod itself;
mod keys;
mod kubeconfig;
mod lab;
mod log;
mod machines;
mod netpol;
mod node;
mod papers;
mod peers;
mod plan;
mod play;
mod prove;
mod render;
mod reset;
mod sabotage;
mod sealing;
mod session;
mod sources;
mod specification;
mod told;
mod up;
mod verify;
mod ways;

use std::error::Error;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

/// Creates Kubernetes clusters that are secure from the start, and proves it.
#[derive(clap::Parser)]
#[command(name = "ringfort", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    log: log::LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Init(init::InitArgs),
    Plan(plan::PlanArgs),
    Up(up::UpArgs),
    Kubeconfig(kubeconfig::KubeconfigArgs),
    Prove(prove::ProveArgs),
    Verify(verify::VerifyArgs),
    Check(check::CheckArgs),
    Fix(fix::FixArgs),
    Gather(gather::GatherArgs),
    Reset(reset::ResetArgs),
    Bundle(bundle::BundleArgs),
    Keys(keys::KeysArgs),
    Lab(lab::LabArgs),
    Netpol(netpol::NetpolArgs),
    Audit(audit::AuditArgs),
    Integrity(integrity::IntegrityArgs),
    Node(node::NodeArgs),
    Explain(explain::ExplainArgs),
    Render(render::RenderArgs),
    Schema(specification::SchemaArgs),
    Completions(papers::CompletionsArgs),
    Man(papers::ManArgs),
}

/// Runs the command that was asked for.
pub fn run(cli: Cli) -> Result<ExitCode, Fault> {
    cli.log.begin(match &cli.command {
        Command::Node(node) => node.usual_log(),
        _ => log::Usual::Nothing,
    })?;
    match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Up(args) => up::run(&args),
        Command::Kubeconfig(args) => kubeconfig::run(&args),
        Command::Prove(args) => prove::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Fix(args) => fix::run(&args),
        Command::Gather(args) => gather::run(&args),
        Command::Reset(args) => reset::run(&args),
        Command::Bundle(args) => bundle::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Lab(args) => lab::run(args),
        Command::Netpol(args) => netpol::run(args),
        Command::Audit(args) => audit::run(&args),
        Command::Integrity(args) => integrity::run(&args),
        Command::Node(args) => node::run(args),
        Command::Explain(args) => explain::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Schema(args) => specification::schema(&args),
        Command::Completions(args) => Ok(papers::completions(&args)),
        Command::Man(args) => papers::man(&args),
    }
}

/// Writes a result to standard output. A reader that has gone, as `head` does, wants no more.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// A command that came to no result: the cause, and the exit code that says whose turn it is.
#[derive(Debug)]
pub struct Fault {
    code: u8,
    cause: Box<dyn Error>,
}

#[allow(dead_code, reason = "each command uses the codes that can happen to it")]
impl Fault {
    /// The command line or a file of the user is wrong.
    pub fn usage(cause: impl Into<Box<dyn Error>>) -> Self {
        Self { code: 2, cause: cause.into() }
    }

    /// Something could not be looked at.
    pub fn blind(cause: impl Into<Box<dyn Error>>) -> Self {
        Self { code: 3, cause: cause.into() }
    }

    /// Something could not be done; running again is safe.
    pub fn unable(cause: impl Into<Box<dyn Error>>) -> Self {
        Self { code: 4, cause: cause.into() }
    }

    /// A person ended the command.
    pub fn interrupted(cause: impl Into<Box<dyn Error>>) -> Self {
        Self { code: 130, cause: cause.into() }
    }

    /// Turns what could not be done into what could not be looked at, where nothing else was meant.
    pub fn only_looking(self) -> Self {
        if self.code == 4 { Self { code: 3, ..self } } else { self }
    }

    /// Writes the fault with its causes to standard error and gives its exit code.
    pub fn show(&self) -> ExitCode {
        let said = self.cause.to_string();
        // Reports on files are drawn already.
        let grade = if said.starts_with("error") { "" } else { "error: " };
        let mut text = format!("{grade}{said}\n");
        let mut below = self.cause.source();
        while let Some(cause) = below {
            // What a message has said of its cause already is not said again.
            let why = cause.to_string();
            if !text.contains(&why) {
                text.push_str(&format!("  because: {why}\n"));
            }
            below = cause.source();
        }
        // Standard error may be closed; there is nowhere else to say so.
        let _ = std::io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Cli;

    /// What ringfort itself runs on machines: no person waits for how it ends.
    const OWN: [&str; 1] = ["node"];

    /// Gives the ends of the tree of commands, each with its path.
    fn leaves(command: &Command, path: &str) -> Vec<(String, Command)> {
        let below: Vec<&Command> =
            command.get_subcommands().filter(|it| !it.is_hide_set()).collect();
        if below.is_empty() {
            return vec![(path.to_owned(), command.clone())];
        }
        let asked = below.into_iter().filter(|it| !OWN.contains(&it.get_name()));
        asked.flat_map(|it| leaves(it, &format!("{path} {}", it.get_name()))).collect()
    }

    #[test]
    fn every_command_says_what_its_exit_codes_mean() {
        let all = leaves(&Cli::command(), "ringfort");
        assert!(all.len() > 40, "{}", all.len());
        let silent: Vec<String> = all
            .into_iter()
            .filter(|(_, command)| {
                !command.clone().render_long_help().to_string().contains("Exit codes: ")
            })
            .map(|(path, _)| path)
            .collect();
        assert!(silent.is_empty(), "{silent:#?}");
    }
}
