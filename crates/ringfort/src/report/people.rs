//! A run as a person sees it: stages as they begin, failures as they happen, proofs as rows.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use ringfort_model::event::Event;
use ringfort_model::judgement::Verdict;

use super::closes;

/// A run as a person sees it.
pub struct People {
    verbose: bool,
    bar: ProgressBar,
    steps: u64,
    tense: Tense,
    evidence: Option<String>,
}

/// Whether steps are taken or foreseen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tense {
    /// They are taken: the run is about what comes of them.
    Present,
    /// They are foreseen, and are what the run is about.
    Future,
    /// There are none: it is looked at what came of earlier ones.
    Past,
}

impl People {
    /// Prepares standard error; the moving line is drawn only where that is a terminal.
    pub fn new(verbose: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}")
            .expect("the template is well formed");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { verbose, bar, steps: 0, tense: Tense::Present, evidence: None }
    }

    /// Shows one event.
    pub fn tell(&mut self, event: &Event) {
        match event {
            Event::Started { cluster, command, .. } => {
                self.tense = match command.as_str() {
                    "plan" => Tense::Future,
                    "prove" => Tense::Past,
                    _ => Tense::Present,
                };
                // Without a name, the command itself says which cluster it is, or why it cannot.
                if let Some(cluster) = cluster {
                    self.line(&format!("ringfort {command}: cluster {cluster}"));
                }
            }
            Event::Waiver { .. } => self.waiver(event),
            Event::Stage { name, seconds } => {
                self.line(&format!("{seconds:>7.1} s  {name}"));
                self.bar.set_message(name.clone());
            }
            Event::Preflight { node, finding, fatal } => {
                let grade = if *fatal { "error" } else { "advice" };
                let place = node.as_ref().map(|node| format!("{node}: ")).unwrap_or_default();
                self.line(&format!("{grade}: {place}{finding}"));
            }
            Event::Step { .. } => self.step(event),
            Event::Proof { control, verdict, detail, .. } => {
                let shown = match verdict {
                    Verdict::Failed => "FAILED".to_owned(),
                    other => other.to_string(),
                };
                self.result(&format!("  {control:<28} {shown:<8} {detail}"));
            }
            Event::Unseen { node, item, by, why, .. } => {
                let place = node.as_ref().map_or("api", |node| node.as_str());
                self.result(&format!("  not looked at: {place}: {item} (for {by}): {why}"));
            }
            Event::Closes { pods, .. } => {
                let verb = if self.tense == Tense::Future { "would be" } else { "will be" };
                self.result(&closes::lines(pods, verb).join("\n"));
            }
            Event::Remains { things } => {
                self.result(&format!("left as they are: {}", things.join("; ")));
            }
            Event::Finished { .. } => self.finish(event),
        }
    }

    /// Shows a remark.
    pub fn note(&self, text: &str) {
        self.line(text);
    }

    fn step(&mut self, event: &Event) {
        let Event::Step { node, item, by, because, seconds, took, failed, .. } = event else {
            return;
        };
        let place = node.as_ref().map_or("api", |node| node.as_str());
        self.steps += 1;
        self.bar.set_message(format!("{} steps, {place}: {item}", self.steps));
        if self.tense == Tense::Future {
            self.result(&format!("  {place}: {item}: {because} (for {by})"));
        } else if let Some(why) = failed {
            self.line(&format!("{seconds:>7.1} s  {place}: {item} failed (for {by}): {why}"));
        } else if self.verbose {
            self.line(&format!(
                "{seconds:>7.1} s  {place}: {item}: {because} (for {by}, {took:.2} s)"
            ));
        }
    }

    fn waiver(&self, event: &Event) {
        let Event::Waiver { control, scope, reason, owner, expires, holds } = event else { return };
        let shown = if *holds { "waived" } else { "ENDED" };
        let until = if *holds { "until" } else { "was waived until" };
        self.result(&format!(
            "  {control:<28} {shown:<8} {until} {expires} {scope} by {owner}: {reason}"
        ));
    }

    fn finish(&mut self, event: &Event) {
        let Event::Finished { seconds, changes, unseen, kubeconfig, error, .. } = event else {
            return;
        };
        self.bar.finish_and_clear();
        if error.is_some() && kubeconfig.is_none() {
            // The command itself says why it came to no result.
            return;
        }
        let changes = match changes {
            0 => "nothing to change".to_owned(),
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let changes = match self.tense {
            Tense::Future if *unseen > 0 => {
                format!("{changes} as far as could be looked at; {unseen} not looked at")
            }
            _ => changes,
        };
        let verdicts = verdicts(event);
        let came = match self.tense {
            Tense::Past => verdicts.clone(),
            Tense::Present | Tense::Future if verdicts.is_empty() => changes,
            Tense::Present | Tense::Future => format!("{changes}; {verdicts}"),
        };
        self.result(&format!("{came}, in {seconds:.1} s"));
        if let Some(path) = &self.evidence {
            self.result(&format!("evidence: {path}"));
        }
        if let Some(path) = kubeconfig {
            self.result(&format!("kubeconfig: {path}"));
        } else if self.tense == Tense::Present && !verdicts.is_empty() {
            self.result("No kubeconfig was issued.");
        }
    }

    /// Takes note of where evidence was written.
    pub fn evidence(&mut self, path: String) {
        self.evidence = Some(path);
    }

    fn line(&self, text: &str) {
        // Standard error may be closed; there is nowhere else to say so.
        self.bar.suspend(|| _ = writeln!(anstream::stderr(), "{text}"));
    }

    fn result(&self, text: &str) {
        self.bar.suspend(|| _ = writeln!(anstream::stdout(), "{text}"));
    }
}

/// Says how many proofs came to what; nothing, if there were none.
fn verdicts(end: &Event) -> String {
    let Event::Finished { proved, failed, unknown, not_applicable, .. } = end else {
        return String::new();
    };
    let spared = match not_applicable {
        0 => String::new(),
        count => format!(", {count} not applicable"),
    };
    match proved + failed + unknown + not_applicable {
        0 => String::new(),
        _ => format!("{proved} proved, {failed} failed, {unknown} unknown{spared}"),
    }
}
