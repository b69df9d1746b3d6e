//! Sees that the kernel holds what it was given, and puts back what somebody else took away or changed.

use std::fs;
use std::io;
use std::path::Path;

use tokio::time::sleep;

use ringfort_policy::{Outline, RuleSet, Set, World, compile, replace};

use super::super::listen::Heard;
use super::super::meddling::{Author, Meddling, Noticed};
use super::super::nft::{Depth, Held};
use super::{EnforceError, Enforcer, PUT_BACK};

/// Settings without which packets between pods of one machine are judged by nobody.
const BRIDGED: [&str; 2] = ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"];

impl Enforcer {
    /// Says whether rules of a process before this one are in force. If they are known and are not there
    /// any more, they are put back first.
    pub(super) async fn is_enforced(&mut self) -> bool {
        let held = match self.around.nft.held(Depth::Outline).await {
            Ok(held) => held,
            Err(error) => {
                tracing::error!(%error, "what the kernel holds cannot be looked at");
                Held::default()
            }
        };
        if self.is_of_before(&held.outline) {
            return true;
        }
        if self.around.kept.rules().is_none() {
            return false;
        }
        let noticed = Noticed::now("the rules were changed while no enforcer ran", None);
        self.put_back().await;
        self.found(noticed, !self.lost);
        !self.lost
    }

    /// Gives the rules of a node of whose pods nothing is known.
    pub(super) fn closed(&self) -> RuleSet {
        compile(&World::new(self.state.world.defaults().clone()), &self.home)
    }

    /// Closes the node.
    pub(super) async fn close(&mut self) -> Result<(), EnforceError> {
        let rules = self.closed();
        self.apply(&replace(&rules)).await?;
        (self.applied, self.decided, self.lost) = (Some(rules), false, false);
        Ok(())
    }

    /// Hears of a transaction, and puts back what it changed if it was somebody else's.
    pub(super) async fn touched(&mut self, touch: Heard) {
        let by = match touch {
            Heard::Touched(by) => {
                self.heard += 1;
                if self.heard <= self.made {
                    return;
                }
                // Where both came at once, this may be the enforcer's own.
                by.filter(|by| !self.around.nft.was(by.pid))
            }
            // Own transactions may be too long to be heard as well as another's.
            Heard::Overrun => {
                self.heard = self.made;
                if self.is_missing(Depth::Elements).await == Some(false) {
                    return;
                }
                None
            }
        };
        let noticed = Noticed::now("another program changed the rules", by);
        self.put_back().await;
        self.found(noticed, !self.lost);
        // The transaction that put them back is still to be heard of.
        self.heard = if self.lost { self.made } else { self.made - 1 };
        sleep(PUT_BACK).await;
    }

    /// Looks whether the kernel still holds the rules, also where nothing was heard.
    pub(super) async fn look(&mut self) {
        self.bridged();
        if self.is_missing(Depth::Outline).await == Some(true) {
            let noticed = Noticed::now("the rules are not those that were made", None);
            self.put_back().await;
            self.found(noticed, !self.lost);
        } else if let Some(rules) = self.applied.take_if(|_| !self.lost) {
            self.keep(|| replace(&rules));
            self.applied = Some(rules);
        }
    }

    /// Says whether the kernel holds less, or something else, than it was given; nothing if that cannot
    /// be looked at.
    pub(super) async fn is_missing(&self, depth: Depth) -> Option<bool> {
        Some(!self.is_whole(&self.held(depth).await?, depth))
    }

    /// Gives what the kernel holds; nothing if that cannot be looked at.
    pub(super) async fn held(&self, depth: Depth) -> Option<Held> {
        let held = self.around.nft.held(depth).await;
        held.inspect_err(|error| {
            tracing::error!(%error, "what the kernel holds cannot be looked at");
        })
        .ok()
    }

    pub(super) fn is_whole(&self, held: &Held, depth: Depth) -> bool {
        let Some(rules) = &self.applied else { return self.is_of_before(&held.outline) };
        let counted = |(name, set): (&String, &Set)| {
            held.elements.get(name).is_some_and(|count| *count == set.elements.len())
        };
        Outline::of_rules(rules) == held.outline
            && (depth == Depth::Outline || rules.sets.iter().all(counted))
    }

    /// Says whether the kernel holds rules of a process before this one.
    fn is_of_before(&self, held: &Outline) -> bool {
        match self.around.kept.rules() {
            Some(script) => Outline::of_script(&script) == *held,
            None => Outline::of_rules(&self.closed()).is_part_of(held),
        }
    }

    /// Tells what was found, and keeps it.
    fn found(&mut self, noticed: Noticed, is_mended: bool) {
        let Meddling { number, what, by, back_after_ms, .. } =
            self.meddlings.add(noticed, is_mended);
        let by = by.as_ref().map_or_else(|| "nobody that was heard".to_owned(), Author::to_string);
        tracing::warn!(number, by, back_after_ms, "{what}");
        if let Err(error) = self.around.kept.note(&self.meddlings) {
            tracing::warn!(%error, "what was found cannot be written down");
        }
    }

    /// Puts the rules back: those that were made, else those that were in force at last, else closed ones.
    pub(super) async fn put_back(&mut self) {
        let script = match (&self.applied, self.around.kept.rules()) {
            (Some(rules), _) => replace(rules),
            (None, Some(script)) => script,
            (None, None) => {
                let rules = self.closed();
                let script = replace(&rules);
                (self.applied, self.decided) = (Some(rules), false);
                script
            }
        };
        let was_lost = self.lost;
        let applied = self.apply(&script).await;
        self.lost = applied.is_err();
        match applied {
            Ok(()) => tracing::info!("the rules were put back"),
            Err(error) if !was_lost => {
                tracing::error!(%error, "the rules could not be put back; it is tried again");
            }
            Err(_) => {}
        }
        self.keep(|| script);
    }

    fn keep(&mut self, script: impl FnOnce() -> String) {
        if let Err(error) = self.around.kept.keep(script) {
            tracing::warn!(%error, "the rules cannot be kept for a restart");
        }
    }

    /// Sees that packets which cross the bridge are judged.
    pub(super) fn bridged(&mut self) {
        let mut unbridged = None;
        for setting in BRIDGED {
            match judged(&self.around.bridged.join(setting)) {
                Ok(true) => {}
                Ok(false) => self.found(Noticed::now(format!("{setting} was off"), None), true),
                Err(error) => {
                    unbridged = Some(format!(
                        "packets between pods of one machine may not be judged: {setting}: {error}"
                    ));
                }
            }
        }
        if let Some(why) = &unbridged
            && self.unbridged != unbridged
        {
            tracing::error!("{why}; no new pod is let in");
        }
        // Whoever waits for it is answered now.
        self.dirty |= self.unbridged.is_some() && unbridged.is_none();
        self.unbridged = unbridged;
    }
}

/// Sees that a setting is on; says whether it was.
fn judged(path: &Path) -> io::Result<bool> {
    if fs::read_to_string(path)?.trim() == "1" {
        return Ok(true);
    }
    fs::write(path, "1\n")?;
    Ok(false)
}
