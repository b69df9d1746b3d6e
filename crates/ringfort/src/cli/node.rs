//! `ringfort node`: what runs on machines. Started by the operator's side over SSH and by systemd,
//! hardly ever by a person.

use std::io::{read_to_string, stdin, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringfort_model::name::NodeName;
use ringfort_model::secret::Secret;
use ringfort_netpol::Settings;
use ringfort_node::{
    HostTools, Root, balance, certificates, gather, keys, listeners, programs, rights, routes,
    tokens,
};

use super::Fault;
use super::log::Usual;
use super::told::{self, ToldArgs};

/// What runs on machines of a cluster; started by ringfort itself and by systemd.
#[derive(clap::Args)]
pub struct NodeArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Serve an operator on standard input and output.
    Serve,
    /// Lead standard input and output to a TCP port.
    Connect {
        /// Address and port, such as 10.0.0.11:6443; names are not looked up.
        to: SocketAddr,
    },
    /// Look for private keys where a cluster's files lie, and tell their public halves.
    Keys,
    /// Tell where this machine listens, and which program does.
    Listeners,
    /// Tell what the processes of these names may do, as the kernel says.
    Processes {
        /// Names of programs.
        names: Vec<String>,
    },
    /// Read programs byte by byte, and tell their digests.
    Programs {
        /// Names of processes: what each runs is read as it runs.
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// Paths of files; what is not there is left out.
        paths: Vec<String>,
    },
    /// Look for certificates where a cluster's files lie, and tell whom they speak for.
    Certificates,
    /// Tell what is kept of requests that hold a text, what was found in them, and whether the store is whole.
    Kept {
        /// The text.
        #[arg(long, value_name = "TEXT")]
        holding: String,
        /// Where it is kept.
        #[arg(long, value_name = "DIR", default_value = ringfort_controls::paths::AUDIT_STORE)]
        store: PathBuf,
        /// The log that it is kept of.
        #[arg(long, value_name = "FILE", default_value = ringfort_controls::paths::AUDIT_LOG)]
        log: PathBuf,
        /// What a witness signed of it.
        #[arg(long, value_name = "FILE", default_value = ringfort_controls::paths::WITNESSED)]
        witnessed: PathBuf,
        /// How it compares with what the server counts.
        #[arg(long, value_name = "FILE", default_value = ringfort_controls::paths::COUNT)]
        count: PathBuf,
        /// Where what other control planes keep is brought.
        #[arg(long, value_name = "DIR", default_value = ringfort_controls::paths::TOGETHER)]
        together: PathBuf,
    },
    /// Tell which changes are kept here that machines' agents told, each with who delivered it.
    Reported {
        /// A machine, and what its agent calls the change.
        #[arg(value_name = "NODE=CHANGE", value_parser = change, required = true)]
        changes: Vec<(NodeName, String)>,
        /// Where it is kept.
        #[arg(long, value_name = "DIR", default_value = ringfort_controls::paths::AUDIT_STORE)]
        store: PathBuf,
    },
    /// Tell who was told what a detection found here: it stands there, or they acknowledged it.
    Told(ToldArgs),
    /// Read a token of a service account on standard input, and write one that is older.
    AgedToken {
        /// By how much.
        #[arg(long, value_name = "SECONDS")]
        seconds: u32,
        /// The key that has signed it.
        #[arg(long, value_name = "FILE", default_value = ringfort_controls::paths::SERVICE_ACCOUNT_KEY)]
        key: String,
    },
    /// Take the facts of this machine, as `ringfort gather` does.
    Gather,
    /// Pass connections on to an API server that is ready.
    Balance {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:6444")]
        listen: SocketAddr,
        /// The file that names the API servers, one address and port a line.
        #[arg(long, value_name = "FILE")]
        backends: PathBuf,
        /// The certificate of the API servers' authority.
        #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/pki/ca.crt")]
        ca: String,
    },
    /// Enforce network policies on this node's pods.
    Policy(PolicyArgs),
    /// Stand last in the list of network plugins: a new pod begins when its policies are in force.
    /// Called by the container runtime, with its interface in the environment and on standard input.
    PolicyPlugin,
    /// Keep the routes to other nodes' pods.
    Routes {
        /// The file that says where other nodes' pods are.
        #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/routes.json")]
        file: PathBuf,
        /// Make the routes once and end.
        #[arg(long)]
        once: bool,
    },
}

#[derive(clap::Args)]
struct PolicyArgs {
    /// The file that says which pods are this node's and what is closed by itself.
    #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/network-policy.json")]
    file: PathBuf,
    /// The API server.
    #[arg(long, default_value = "127.0.0.1:6444")]
    server: SocketAddr,
    /// The name that the API server's certificate carries.
    #[arg(long, value_name = "NAME", default_value = "kubernetes.default.svc")]
    server_name: String,
    /// The certificate of the API server's authority.
    #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/pki/ca.crt")]
    ca: PathBuf,
    /// The enforcer's own certificate.
    #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/pki/network-policy.crt")]
    certificate: PathBuf,
    /// The key of it.
    #[arg(long, value_name = "FILE", default_value = "/etc/kubernetes/pki/network-policy.key")]
    key: PathBuf,
    /// Print what the enforcer that runs here has in force, as JSON, and end.
    #[arg(long)]
    show: bool,
}

impl PolicyArgs {
    fn settings(self) -> Settings {
        let Self { file, server, server_name, ca, certificate, key, .. } = self;
        Settings { file, server, server_name, ca, certificate, key }
    }
}

impl NodeArgs {
    /// Says how much a part logs: services tell the journal what changes.
    pub fn usual_log(&self) -> Usual {
        match self.command {
            Command::Serve
            | Command::Connect { .. }
            | Command::Keys
            | Command::Listeners
            | Command::Processes { .. }
            | Command::Programs { .. }
            | Command::Certificates
            | Command::Kept { .. }
            | Command::Reported { .. }
            | Command::Told(_)
            | Command::AgedToken { .. }
            | Command::Gather
            | Command::PolicyPlugin => Usual::Nothing,
            Command::Balance { .. } | Command::Policy(_) | Command::Routes { .. } => Usual::Changes,
        }
    }
}

/// Tells which changes are kept.
fn reported(store: &Path, changes: Vec<(NodeName, String)>) -> Result<String, Fault> {
    let changes = changes.into_iter().collect();
    let seen = ringfort_store::os::reported(store, &changes, jiff::Timestamp::now());
    serde_json::to_string(&seen.map_err(Fault::blind)?).map_err(Fault::unable)
}

/// Reads a machine and what its agent calls a change.
fn change(text: &str) -> Result<(NodeName, String), String> {
    let (node, change) = text.split_once('=').ok_or("write NODE=CHANGE")?;
    Ok((NodeName::new(node).map_err(|error| error.to_string())?, change.to_owned()))
}

/// Runs a part of the node.
///
/// # Errors
/// The part could not begin, or ended before its time.
pub fn run(args: NodeArgs) -> Result<ExitCode, Fault> {
    let root = Root::new("/");
    match args.command {
        Command::Serve => {
            ringfort_node::serve(stdin(), stdout(), &root, &HostTools).map_err(Fault::unable)?;
        }
        Command::Connect { to } => {
            ringfort_node::connect(to, stdin(), stdout()).map_err(Fault::unable)?;
        }
        Command::Keys => {
            let found = keys::look(&root).map_err(Fault::unable)?;
            println!("{}", serde_json::to_string(&found).map_err(Fault::unable)?);
        }
        Command::Listeners => {
            let found = listeners::look(&root).map_err(Fault::unable)?;
            println!("{}", serde_json::to_string(&found).map_err(Fault::unable)?);
        }
        Command::Processes { names } => {
            let found = rights::look(&root, &names).map_err(Fault::unable)?;
            println!("{}", serde_json::to_string(&found).map_err(Fault::unable)?);
        }
        Command::Programs { names, paths } => {
            let found = programs::look(&root, &names, &paths).map_err(Fault::unable)?;
            println!("{}", serde_json::to_string(&found).map_err(Fault::unable)?);
        }
        Command::Certificates => {
            let found = certificates::look(&root).map_err(Fault::unable)?;
            println!("{}", serde_json::to_string(&found).map_err(Fault::unable)?);
        }
        Command::Kept { holding, store, log, witnessed, count, together } => {
            let now = jiff::Timestamp::now();
            let places = ringfort_store::os::Places { log, store, witnessed, count, together };
            let seen = ringfort_store::os::held(&places, &holding, now).map_err(Fault::blind)?;
            println!("{}", serde_json::to_string(&seen).map_err(Fault::unable)?);
        }
        Command::Reported { changes, store } => println!("{}", reported(&store, changes)?),
        Command::Told(args) => {
            let seen = told::look(&args, &HostTools)?;
            println!("{}", serde_json::to_string(&seen).map_err(Fault::unable)?);
        }
        Command::AgedToken { seconds, key } => {
            let token = Secret::new(read_to_string(stdin()).map_err(Fault::unable)?);
            let older = tokens::older(&root, &key, &token, seconds).map_err(Fault::unable)?;
            print!("{}", older.expose());
        }
        Command::Gather => {
            println!("{}", serde_json::to_string(&gather::take(&root)).map_err(Fault::unable)?);
        }
        Command::Balance { listen, backends, ca } => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(Fault::unable)?;
            let settings = balance::Settings { listen, backends, ca, root };
            match runtime.block_on(balance::run(&settings)).map_err(Fault::unable)? {}
        }
        Command::Policy(args) if args.show => {
            let shown = ringfort_netpol::show().map_err(Fault::unable)?;
            println!("{}", serde_json::to_string(&shown).map_err(Fault::unable)?);
        }
        Command::Policy(args) => {
            let told =
                ringfort_netpol::Told { ready: ringfort_node::ready, alive: ringfort_node::alive };
            match ringfort_netpol::enforce(&args.settings(), told).map_err(Fault::unable)? {}
        }
        Command::PolicyPlugin => {
            let (said, well) = ringfort_netpol::plug(|name| std::env::var(name).ok(), stdin());
            println!("{said}");
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Routes { file, once: true } => {
            routes::once(&file, &root, &HostTools).map_err(Fault::unable)?;
        }
        Command::Routes { file, once: false } => {
            match routes::keep(&file, &root, &HostTools).map_err(Fault::unable)? {}
        }
    }
    Ok(ExitCode::SUCCESS)
}
