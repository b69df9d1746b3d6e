//! What `up`, `plan`, `reset` and `kubeconfig` have in common: the spec, the operator's identity and
//! state, the bundle, and the machines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use ringfort_engine::Goal;

use ringfort_forge::addons;
use ringfort_forge::bundle::{Bundle, cache_directory};
use ringfort_forge::carriage;
use ringfort_forge::drive::fleet::OwnBinary;
use ringfort_forge::keyring::{Identity, Keyring, StateDirectory};
use ringfort_forge::make::{self, Memory, Places, Preflight, Site, Work, doors};
use ringfort_forge::preflight::{Finding, Weight};
use ringfort_model::addon::Addon;
use ringfort_model::certificate::{Authority, Subject};
use ringfort_model::event::{EVENT_VERSION, Event};
use ringfort_model::name::NodeName;
use ringfort_model::trust::TrustFacts;
use ringfort_model::tunnel::{Carriage, PodTraffic};
use ringfort_spec::Spec;

use super::Fault;
use super::audit::site::{self, SiteOfLogs};
use super::integrity::signed::BASELINES;
use super::keys::IdentityFile;
use super::specification::{self, SpecFile};
use super::up::fault;
use crate::report::Voice;

/// Where a command finds what it works on.
#[derive(Args)]
pub struct Where {
    #[command(flatten)]
    pub spec: SpecFile,
    #[command(flatten)]
    pub whose: IdentityFile,
}

/// How a command that works on machines does so, and tells of it.
#[derive(Args)]
pub struct How {
    /// The bundle's directory [default: the newest of the spec's release in the cache]
    #[arg(long, env = "RINGFORT_BUNDLE", value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Write events as JSON lines to standard output
    #[arg(long)]
    pub json: bool,
    /// Show every step
    #[arg(short, long)]
    pub verbose: bool,
}

/// A command at work.
pub struct Session<'v> {
    /// The specification's file.
    pub file: PathBuf,
    /// What it held when it was read: the run is about that, whatever becomes of the file meanwhile.
    pub text: String,
    /// The home directory, where paths of the specification may begin.
    pub home: PathBuf,
    /// Who runs the command, for messages to other operators.
    pub operator: String,
    /// The specification.
    pub spec: Spec,
    /// Opens the keyring.
    pub identity: Identity,
    /// Where the operator's state lies.
    pub state: StateDirectory,
    /// This binary.
    pub own: OwnBinary,
    /// The bundle.
    pub bundle: Bundle,
    /// The manifests of the specification's add-ons.
    pub addons: Vec<Addon>,
    /// What the specification says of logs, with the files that it names.
    pub logs: SiteOfLogs,
    /// How it is told.
    pub voice: &'v mut Voice,
    /// Whether packets of pods are encrypted between machines, once that is settled.
    pub encrypted: bool,
    /// Why they are, or are not.
    pub pod_traffic: String,
}

/// Whether an identity that is missing is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// It is.
    Make,
    /// It is not, and one is imagined where there is no keyring yet that one would have to open.
    Imagine,
    /// None is needed: whatever is there, one is imagined that is forgotten with the run.
    Forget,
    /// It is an error.
    Refuse,
}

/// What a command brings to machines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Brings {
    /// All that the specification asks for.
    All,
    /// Nothing.
    Nothing,
}

impl<'v> Session<'v> {
    /// Reads everything that a command needs from this machine.
    pub fn open(
        voice: &'v mut Voice,
        command: &str,
        place: &Where,
        how: &How,
        missing: Missing,
    ) -> Result<Self, Fault> {
        Self::read(voice, command, (place, how), missing, Brings::All)
    }

    /// Reads what it takes to empty machines: nothing comes to them, so no bundle, no add-on and no file of the site
    /// is needed. Machines know themselves what was put on them.
    pub fn open_to_empty(
        voice: &'v mut Voice,
        command: &str,
        place: &Where,
        how: &How,
    ) -> Result<Self, Fault> {
        Self::read(voice, command, (place, how), Missing::Refuse, Brings::Nothing)
    }

    /// Reads it while entropy is gathered for the first key: `plan --offline` does both and little else.
    fn read(
        voice: &'v mut Voice,
        command: &str,
        given: (&Where, &How),
        missing: Missing,
        brings: Brings,
    ) -> Result<Self, Fault> {
        thread::scope(|scope| {
            scope.spawn(gather_entropy);
            Self::read_files(voice, command, given, missing, brings)
        })
    }

    fn read_files(
        voice: &'v mut Voice,
        command: &str,
        (place, how): (&Where, &How),
        missing: Missing,
        brings: Brings,
    ) -> Result<Self, Fault> {
        let (text, spec) = specification::read_with_text(&place.spec.file)?;
        voice.tell(&Event::Started {
            version: EVENT_VERSION,
            cluster: Some(spec.name.to_string()),
            command: command.to_owned(),
        });
        let bundle = match brings {
            Brings::All => find_bundle(how.bundle.as_deref(), &spec)?,
            Brings::Nothing => Bundle::unseen(spec.kubernetes),
        };
        let state = StateDirectory::beside(&place.spec.file, &spec.name);
        let identity = match missing {
            Missing::Make => place.whose.read_or_make()?,
            Missing::Forget => Identity::imagine(),
            Missing::Imagine if !state.keyring_path().exists() => place.whose.read_or_imagine()?,
            Missing::Imagine | Missing::Refuse => place.whose.read()?,
        };
        let program = std::env::current_exe().map_err(Fault::unable)?;
        let own = OwnBinary::read(&program).map_err(Fault::unable)?;
        let file = place.spec.file.clone();
        let (home, operator) = (home()?, operator_name());
        let (addons, logs) = match brings {
            Brings::All => Self::site(&spec, &home, beside(&file))?,
            Brings::Nothing => (Vec::new(), SiteOfLogs::default()),
        };
        Ok(Self {
            addons,
            logs,
            file,
            text,
            home,
            operator,
            spec,
            identity,
            state,
            own,
            bundle,
            voice,
            encrypted: false,
            pod_traffic: String::new(),
        })
    }

    /// Reads the files that the specification names.
    fn site(spec: &Spec, home: &Path, beside: &Path) -> Result<(Vec<Addon>, SiteOfLogs), Fault> {
        let addons = addons::read(spec, home, beside).map_err(Fault::usage)?;
        Ok((addons, site::read(spec, home, beside)?))
    }

    /// Tells every waiver: those that hold, and those that have ended and loosen nothing any more.
    pub fn tell_waivers(&mut self) {
        let holds = self.spec.waivers.iter().map(|waiver| (waiver, true));
        let ended = self.spec.ended.iter().map(|waiver| (waiver, false));
        for (waiver, holds) in holds.chain(ended) {
            self.voice.tell(&Event::Waiver {
                control: waiver.control.clone(),
                scope: waiver.scope.to_string(),
                reason: waiver.reason.clone(),
                owner: waiver.owner.clone(),
                expires: waiver.expires.to_string(),
                holds,
            });
        }
    }

    /// Enters all machines but those that are given up, to look only.
    pub async fn enter_without(&mut self, given_up: &BTreeSet<NodeName>) -> Result<Site, Fault> {
        self.knock().await.without(given_up).map_err(Fault::unable)
    }

    /// Enters the machines that answer, to look only. Preflight judges whether they are enough.
    pub async fn enter_most(&mut self) -> Result<Site, Fault> {
        self.knock().await.most(&self.spec).map_err(Fault::unable)
    }

    async fn knock(&mut self) -> Site {
        self.voice.stage("entering the machines");
        let doors = doors(&self.spec, &self.home, beside(&self.file));
        Site::enter(&doors, &self.own, &self.operator).await
    }

    /// Judges the machines. A fatal finding ends the command before anything was written; a machine of the cluster
    /// that may not be worked with as it is is left out.
    pub async fn preflight(&mut self, site: &mut Site) -> Result<Preflight, Fault> {
        self.voice.stage("preflight");
        let preflight = site.preflight(&self.spec, &self.bundle.lock().host_tools, now_ms).await;
        let fatal = self.tell_findings(&preflight.findings);
        if fatal > 0 {
            return Err(Fault::unable(format!(
                "preflight found {fatal} things to mend first; nothing was written"
            )));
        }
        Ok(preflight)
    }

    /// Tells what was found, and gives how much of it has to be mended first.
    fn tell_findings(&mut self, findings: &[Finding]) -> usize {
        let is_fatal = |finding: &Finding| finding.weight != Weight::Advice;
        for finding in findings {
            self.voice.tell(&Event::Preflight {
                node: finding.node.clone(),
                finding: finding.text.clone(),
                fatal: is_fatal(finding),
            });
        }
        findings.iter().filter(|finding| is_fatal(finding)).count()
    }

    /// Sees that what machines lack is in the bundle as its lock says, before anything is written.
    pub async fn check_bundle(&self, site: &Site) -> Result<(), Fault> {
        let digests: Vec<_> =
            self.bundle.lock().entries.iter().map(|entry| entry.sha256.clone()).collect();
        let lacking = site.lacking(&digests).await.map_err(Fault::unable)?;
        let flaws = self.bundle.flaws_among(&lacking).map_err(Fault::blind)?;
        if flaws.is_empty() {
            return Ok(());
        }
        let flaws: Vec<_> = flaws.iter().map(ToString::to_string).collect();
        Err(Fault::usage(format!(
            "the bundle {} is not what its lock says; nothing was written. Build it again, or fetch it again:\n  {}",
            self.bundle.directory().display(),
            flaws.join("\n  ")
        )))
    }

    /// Puts together what making a cluster takes, with the voice that tells of it beside it.
    ///
    /// No API server is known yet, and the epoch is the one to look without acting.
    pub fn work<'a>(
        &'a mut self,
        site: &'a Site,
        keyring: Keyring,
        memory: Memory<'a>,
    ) -> (Work<'a>, &'a mut Voice) {
        let Self { file, home, operator, identity, spec, bundle, own, addons, logs, voice, .. } =
            self;
        let work = Work {
            spec,
            site,
            site_files: &logs.files,
            findings_token: logs.token.as_ref(),
            servers: BTreeMap::new(),
            bundle,
            own,
            addons,
            keyring,
            identity,
            memory,
            epoch: 0,
            now_s: now_s(),
            start: voice.start(),
            places: Places { home, beside: beside(file) },
            operator,
            broken: None,
            baselines: BASELINES,
        };
        (work, voice)
    }

    /// Compares what the operator's state knows with what machines hold, before one of them is told
    /// that somebody acts, and gives it back.
    pub async fn judge(
        &mut self,
        site: &Site,
        keyring: Keyring,
        memory: Memory<'_>,
        goal: Goal,
    ) -> Result<(Keyring, TrustFacts), Fault> {
        let (mut work, _) = self.work(site, keyring, memory);
        make::judge(&mut work, goal).await.map_err(fault)?;
        Ok((work.keyring, work.memory.trust))
    }

    /// Settles whether packets of pods are encrypted, and says so. A machine that cannot do what it
    /// must ends the command before anything was written to it.
    pub fn settle(
        &mut self,
        preflight: &Preflight,
        held: Option<Carriage>,
    ) -> Result<Option<Carriage>, Fault> {
        let settled = carriage::settle(&self.spec, held, &preflight.abilities);
        let fatal = self.tell_findings(&settled.findings);
        if settled.findings.is_empty() {
            self.voice.note(&settled.why);
        }
        let traffic = settled.carriage.map(|carriage| carriage.traffic);
        self.encrypted = traffic == Some(PodTraffic::Encrypted);
        self.pod_traffic = settled.why;
        match fatal {
            0 => Ok(settled.carriage),
            _ => Err(Fault::unable(format!(
                "{fatal} machines cannot encrypt packets of pods; nothing was written to any"
            ))),
        }
    }
}

/// Makes an identity for the API that lives in memory and not for long.
///
/// It stands for the beginning of a run: an authority that can sign nothing any more ends it here.
pub fn api_identity(
    keyring: &Keyring,
    subject: &Subject,
    life: Duration,
) -> Result<ringfort_api::Identity, Fault> {
    for authority in Authority::ALL {
        keyring.signer(authority, now_s()).map_err(Fault::unable)?;
    }
    let signer = keyring.signer(Authority::Cluster, now_s()).map_err(Fault::unable)?;
    let client = signer.client(subject, life).map_err(Fault::unable)?;
    let authorities = keyring.authorities().map_err(Fault::unable)?;
    Ok(ringfort_api::Identity {
        authority_pem: authorities[&Authority::Cluster].certificate_pem.clone(),
        certificate_pem: client.certificate_pem,
        key_pem: client.key_pem,
    })
}

/// Gives the name by which another operator knows this one.
pub fn operator_name() -> String {
    format!("{}{})", own_name(), std::process::id())
}

fn own_name() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{} (process ", host.trim())
}

/// Lets a run that was ended a moment ago finish on the machines what it had begun.
pub async fn outlast(site: &mut Site) -> Result<(), Fault> {
    site.outlast(&operator_name(), has_ended).await;
    Ok(())
}

/// Says whether an operator's run has ended: one of this host whose process is no more. Of others
/// nobody knows.
fn has_ended(operator: &str) -> bool {
    let process = operator.strip_prefix(&own_name()).and_then(|rest| rest.strip_suffix(')'));
    process
        .and_then(|number| number.parse::<u32>().ok())
        .is_some_and(|number| !Path::new(&format!("/proc/{number}")).exists())
}

/// Gives the time, in seconds since 1970.
pub fn now_s() -> i64 {
    Timestamp::now().as_second()
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Opens the bundle that was named, or the newest in the cache; it must be of the spec's release.
pub fn find_bundle(named: Option<&Path>, spec: &Spec) -> Result<Bundle, Fault> {
    let asked = spec.kubernetes;
    let bundle = match named {
        Some(directory) => Bundle::open(directory).map_err(Fault::usage)?,
        None => {
            let cache = cache_directory(|name| std::env::var_os(name))
                .ok_or_else(|| Fault::usage("HOME is not set: name the bundle with --bundle"))?;
            let newest = Bundle::newest(&cache, asked).map_err(Fault::usage)?;
            newest.ok_or_else(|| {
                Fault::usage(format!(
                    "there is no bundle of Kubernetes {asked}: ringfort bundle build --kubernetes {asked}"
                ))
            })?
        }
    };
    let held = bundle.lock().kubernetes;
    if asked.is_met_by(held) {
        return Ok(bundle);
    }
    Err(Fault::usage(format!(
        "the bundle holds Kubernetes {held}, but the spec asks for {asked}: ringfort bundle build --kubernetes {asked}"
    )))
}

/// Draws a random number: the first one of a process waits for as much entropy as all later ones rest on.
fn gather_entropy() {
    // Where this fails, so does making a key, and that is told.
    let _ = aws_lc_rs::rand::fill(&mut [0; 1]);
}

/// Gives the operator's home directory.
pub fn home() -> Result<PathBuf, Fault> {
    std::env::home_dir().ok_or_else(|| Fault::usage("HOME is not set"))
}

/// Gives the directory of a file.
pub fn beside(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::{has_ended, operator_name, own_name};

    #[test]
    fn only_runs_of_this_host_are_known_to_have_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = format!("{}{})", own_name(), child.id());
        child.wait().unwrap();
        assert!(has_ended(&gone));
        assert!(!has_ended(&operator_name()));
        assert!(!has_ended(&format!("x{gone}")));
        assert!(!has_ended("somebody"));
    }
}
