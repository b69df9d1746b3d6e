//! Guards of ringfort's: whether every API server loads them.
//!
//! From 1.37 on a guard is a file in a directory that the server is told of, and facts of its machine list it. Before,
//! it is an object of the API. Never here: what a guard refuses; that is seen by being refused.

use ringfort_facts::component::Component;
use ringfort_facts::component::api_server::{runs_plugin, static_manifests};
use ringfort_facts::component::settings::Settings;
use ringfort_facts::fact::{Seen, Source};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Decided, Judgement};
use ringfort_model::version::Minor;

use super::{Looked, say};

/// A guard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    /// What it does.
    pub(super) does: Does,
    /// The name of its file.
    pub(super) file: &'static str,
    /// The names of its policies, where they are objects of the API.
    pub(super) policies: &'static [&'static str],
    /// The first minor that has it.
    pub(super) since: Minor,
}

/// What a guard does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Does {
    /// It refuses.
    Refuse,
    /// It fills in.
    FillIn,
}

impl Does {
    /// Names the admission plugin that loads such guards.
    fn plugin(self) -> &'static str {
        match self {
            Self::Refuse => "ValidatingAdmissionPolicy",
            Self::FillIn => "MutatingAdmissionPolicy",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::FillIn => "fill in",
        }
    }
}

const FIX: &str = "ringfort up, which writes it again";

impl Guard {
    /// Judges a machine; none where its API server has guards from the API.
    pub(super) fn of(&self, machine: &Machine<'_>) -> Option<Judgement> {
        let running = machine.running(Component::ApiServer);
        if running.as_ref().is_ok_and(|all| all.iter().any(is_stored)) {
            return None;
        }
        let judge = |server: &Settings| self.loaded(machine, server);
        Some(say::each(machine, Component::ApiServer, || running, judge))
    }

    fn loaded(&self, machine: &Machine<'_>, server: &Settings) -> Judgement {
        // Whose release is not known may have its guards from the API.
        server.minor.known()?;
        let plugin = self.does.plugin();
        let runs = runs(server, plugin);
        if !matches!(runs, Ok(Decided::Pass(_))) {
            return runs;
        }
        let told = static_manifests(server, plugin).known()?.clone();
        let Some(directory) = &told.value else {
            let said = format!("no directory of policies is named for {plugin}");
            return say::decide(&told, false, &said, FIX);
        };
        let listed = machine.below(directory)?;
        let is_there = listed.is_some_and(|it| it.value.iter().any(|name| name == self.file));
        let said = match is_there {
            true => format!("{plugin} loads {} from {directory}", self.file),
            false => format!("{} is not in {directory}, from which {plugin} loads", self.file),
        };
        say::decide(&told, is_there, &said, FIX)
    }

    /// Judges a cluster whose guards are objects of its API, for the servers that have them from there.
    pub(super) fn stored(&self, looked: &Looked<'_>) -> Judgement {
        let servers = stored_servers(looked);
        // Where servers are of several minors, none has what the oldest has not.
        if servers.iter().filter_map(minor).min().is_none_or(|it| it < self.since) {
            return say::spared(format!("there is such a guard from {} on", self.since));
        }
        let plugin = self.does.plugin();
        let bound = self.bound(looked);
        say::all(servers.iter().map(|server| runs(server, plugin)).chain([bound]))
    }

    fn bound(&self, looked: &Looked<'_>) -> Judgement {
        let Some(tally) = looked.objects else { return say::no_objects() };
        let (census, kind, does) = (&tally.census, self.does.plugin(), self.does.word());
        let is_there = |name: &&str| census.guards.iter().any(|(of, it)| *of == kind && it == name);
        if let Some(gone) = self.policies.iter().find(|name| !is_there(name)) {
            let said = format!("no {kind} {gone} is bound to {does}");
            return census.unlisted.clone().map_or_else(|| Ok(say::fail(said, FIX)), Err);
        }
        let source = Source::Default("objects of the API".to_owned());
        let said = format!("{} {does}, bound as policies of the API", self.policies.join(", "));
        say::pass(&Seen { value: (), source }, said)
    }
}

/// Asks that a server asks guards at all.
fn runs(server: &Settings, plugin: &str) -> Judgement {
    let runs = runs_plugin(server, plugin).known()?.clone();
    let said = if runs.value { "runs" } else { "is switched off" };
    let fix = format!("leave {plugin} out of --disable-admission-plugins");
    say::decide(&runs, runs.value, &format!("{plugin} {said}"), &fix)
}

/// Gives the API servers that have guards from the API.
fn stored_servers(looked: &Looked<'_>) -> Vec<Settings> {
    let servers = looked.machines.iter().filter_map(|it| it.running(Component::ApiServer).ok());
    servers.flatten().filter(is_stored).collect()
}

fn is_stored(server: &Settings) -> bool {
    minor(server).is_some_and(|it| !it.has_static_admission())
}

fn minor(server: &Settings) -> Option<Minor> {
    server.minor.known().ok().map(|seen| seen.value)
}
