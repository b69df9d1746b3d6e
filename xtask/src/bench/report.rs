//! The figures: a table for people, and everything that was measured as JSON. Pure.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::kubeadm;
use super::load::{Busy, Memory};
use super::outage::Outage;
use super::story::{Span, Story};

/// What one run measured.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Until the machines had booted; no part of any other figure.
    pub(super) boot: f64,
    /// Until six nodes were Ready.
    pub(super) ready: f64,
    /// The run that made the cluster.
    pub(super) first: Story,
    /// The run after it.
    pub(super) again: Story,
    /// `plan` of the cluster that is there.
    pub(super) plan: f64,
    /// `plan` for machines that hold nothing, without any machine.
    pub(super) offline: f64,
    /// Rendering without any machine.
    pub(super) render: f64,
    /// Memory of the machines before.
    pub(super) bare: Memory,
    /// Memory of the cluster.
    pub(super) memory: Memory,
    /// Processor time of the cluster at rest.
    pub(super) busy: Busy,
    /// What was met while control planes were off.
    pub(super) outages: Vec<Outage>,
    /// kubeadm on machines of the same kind.
    pub(super) kubeadm: Option<kubeadm::Took>,
}

/// What was measured, where and of what.
#[derive(Clone, Debug)]
pub(super) struct Report {
    /// The minor of Kubernetes.
    pub(super) kubernetes: String,
    /// How many processors the host has.
    pub(super) processors: usize,
    /// The program, if it is not the one that is released.
    pub(super) binary: Option<PathBuf>,
    /// Size of the program in bytes.
    pub(super) size: u64,
    /// Machines that were virtual ones.
    pub(super) virtual_machines: Option<String>,
    /// Every run.
    pub(super) samples: Vec<Sample>,
}

/// A line of the table.
struct Row {
    what: String,
    values: Vec<f64>,
    unit: &'static str,
    /// What is promised, if something is.
    at_most: Option<f64>,
}

impl Row {
    fn line(&self) -> String {
        let Self { what, values, unit, at_most } = self;
        let (middle, worst) = (median(values), values.iter().copied().fold(0.0, f64::max));
        let number = |value: f64| match value {
            value if value >= 100.0 || value == value.trunc() => format!("{value:.0} {unit}"),
            value if value >= 1.0 => format!("{value:.1} {unit}"),
            value => format!("{value:.2} {unit}"),
        };
        let promise = match at_most {
            None => String::new(),
            Some(limit) if middle <= *limit => format!("≤ {}", number(*limit).trim()),
            Some(limit) => format!("≤ {}: **missed**", number(*limit).trim()),
        };
        let (middle, worst) = (number(middle), number(worst));
        format!("| {what} | {} | {} | {promise} |\n", middle.trim(), worst.trim())
    }
}

/// The middle value; of an even number the larger of the two, so that it is one that was measured.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

const MEGABYTE: f64 = 1e6;

impl Report {
    /// The tables, in Markdown.
    pub(super) fn markdown(&self) -> String {
        let runs = self.samples.len();
        let times = if runs == 1 { "once".to_owned() } else { format!("{runs} times") };
        let kind = match &self.virtual_machines {
            Some(machines) => {
                format!(" ({machines} virtual: their memory and processor time are not counted)")
            }
            None => String::new(),
        };
        let binary = match &self.binary {
            Some(path) => format!("the program {}", path.display()),
            None => "the program as it is released".to_owned(),
        };
        let mut text = format!(
            "Kubernetes {} on three control planes and three workers{kind}, all on one host with \
             {} processors; {binary}; measured {times}.\n\n\
             | what | median | worst | promised |\n|---|---|---|---|\n",
            self.kubernetes, self.processors
        );
        self.rows().iter().for_each(|row| text.push_str(&row.line()));
        if let Some(first) = self.samples.first() {
            text.push_str(&spans("The first run, stage by stage", &first.first.stages));
            let slowest = &first.first.steps[..first.first.steps.len().min(SLOWEST)];
            text.push_str(&spans("Its slowest steps (machines work side by side)", slowest));
        }
        text.push_str(&outages(&self.samples));
        text
    }

    fn rows(&self) -> Vec<Row> {
        let row = |what: &str, unit, at_most, value: &dyn Fn(&Sample) -> f64| Row {
            what: what.to_owned(),
            values: self.samples.iter().map(value).collect(),
            unit,
            at_most,
        };
        let memory = |bytes: u64| bytes as f64 / MEGABYTE;
        let mut rows = vec![
            row("`up`: six nodes Ready", "s", Some(35.0), &|sample| sample.ready),
            row("`up`: every proof made, kubeconfig issued", "s", Some(100.0), &|sample| {
                sample.first.seconds
            }),
            row("`up` again", "s", Some(5.0), &|sample| sample.again.seconds),
            row("changes of that `up` again", "", Some(0.0), &|sample| sample.again.changes as f64),
            row("`plan` of the cluster", "s", None, &|sample| sample.plan),
            row("`plan --offline`", "s", Some(0.1), &|sample| sample.offline),
            row("`render`, without any machine", "s", None, &|sample| sample.render),
            row(
                "memory of all six machines, without what files back",
                "MB",
                Some(1600.0),
                &|sample| memory(sample.memory.anonymous),
            ),
            row("… of it ringfort's own processes", "MB", None, &|sample| {
                memory(sample.memory.own)
            }),
            row("… of it the machines before `up`", "MB", None, &|sample| {
                memory(sample.bare.anonymous)
            }),
            row("memory of all six machines, with programs mapped (PSS)", "MB", None, &|sample| {
                memory(sample.memory.mapped)
            }),
            row("processor time at rest, of one core", "%", None, &|sample| sample.busy.all),
            row("… of it ringfort's own processes", "%", None, &|sample| sample.busy.own),
        ];
        let size = self.size as f64 / MEGABYTE;
        let binary = "the static binary".to_owned();
        rows.push(Row { what: binary, values: vec![size], unit: "MB", at_most: Some(25.0) });
        rows.push(row("boot of the machines, counted nowhere", "s", None, &|sample| sample.boot));
        rows.extend(self.beside_kubeadm());
        rows
    }

    fn beside_kubeadm(&self) -> Vec<Row> {
        let pairs: Vec<_> =
            self.samples.iter().filter_map(|sample| Some((sample, sample.kubeadm?))).collect();
        if pairs.is_empty() {
            return Vec::new();
        }
        let row = |what: &str, unit, at_most, values: Vec<f64>| Row {
            what: what.to_owned(),
            values,
            unit,
            at_most,
        };
        let of = |value: &dyn Fn(&kubeadm::Took) -> f64| -> Vec<f64> {
            pairs.iter().map(|(_, took)| value(took)).collect()
        };
        let ratio = pairs.iter().map(|(sample, took)| sample.ready / took.ready).collect();
        vec![
            row("kubeadm: six nodes Ready", "s", None, of(&|took| took.ready)),
            row("… of it runtime, programs and images", "s", None, of(&|took| took.prepared)),
            row("… of it `kubeadm init`", "s", None, {
                of(&|took| took.initialised - took.prepared)
            }),
            row("… of it five `kubeadm join` side by side", "s", None, {
                of(&|took| took.joined - took.initialised)
            }),
            row("ringfort's time to Ready as a part of kubeadm's", "", Some(0.5), ratio),
        ]
    }

    /// Everything that was measured.
    pub(super) fn json(&self) -> Value {
        json!({
            "version": 1,
            "kubernetes": self.kubernetes,
            "processors": self.processors,
            "binary": self.binary,
            "binaryBytes": self.size,
            "virtualMachines": self.virtual_machines,
            "figures": self.rows().iter().map(|row| json!({
                "what": row.what,
                "unit": row.unit,
                "median": median(&row.values),
                "atMost": row.at_most,
            })).collect::<Vec<_>>(),
            "runs": self.samples.iter().map(Sample::json).collect::<Vec<_>>(),
        })
    }
}

const SLOWEST: usize = 12;

impl Sample {
    fn json(&self) -> Value {
        let spans = |spans: &[Span]| -> Vec<Value> {
            spans.iter().map(|span| json!({"what": span.what, "seconds": span.seconds})).collect()
        };
        json!({
            "bootSeconds": self.boot,
            "readySeconds": self.ready,
            "handOverSeconds": self.first.seconds,
            "changes": self.first.changes,
            "proved": self.first.proved,
            "stages": spans(&self.first.stages),
            "steps": spans(&self.first.steps),
            "againSeconds": self.again.seconds,
            "againChanges": self.again.changes,
            "planSeconds": self.plan,
            "planOfflineSeconds": self.offline,
            "renderSeconds": self.render,
            "bareBytes": self.bare.anonymous,
            "memoryBytes": self.memory.anonymous,
            "mappedBytes": self.memory.mapped,
            "ownBytes": self.memory.own,
            "processes": self.memory.processes,
            "busyPercent": self.busy.all,
            "ownBusyPercent": self.busy.own,
            "outages": self.outages.iter().map(Outage::json).collect::<Vec<_>>(),
            "kubeadm": self.kubeadm.map(|took| took.json()),
        })
    }
}

fn spans(title: &str, spans: &[Span]) -> String {
    let lines = spans.iter().map(|span| format!("| {} | {:.1} s |\n", span.what, span.seconds));
    format!("\n{title}:\n\n| what | took |\n|---|---|\n{}", lines.collect::<String>())
}

/// The worst of each vantage over all control planes and runs, and how many requests failed.
fn outages(samples: &[Sample]) -> String {
    let all: Vec<_> = samples.iter().flat_map(|sample| &sample.outages).collect();
    let mut vantages: Vec<_> = all.iter().map(|outage| outage.seen_from).collect();
    vantages.sort_unstable();
    vantages.dedup();
    if vantages.is_empty() {
        return String::new();
    }
    let line = |vantage: &str| {
        let seen: Vec<_> = all.iter().filter(|outage| outage.seen_from == vantage).collect();
        let each: Vec<_> = seen
            .iter()
            .map(|outage| format!("{} {:.1} s", outage.stopped, outage.silent_seconds))
            .collect();
        let failed: u64 = seen.iter().map(|outage| outage.failed).sum();
        let tried: u64 = seen.iter().map(|outage| outage.tried).sum();
        format!("| {vantage} | {} | {failed} of {tried} |\n", each.join(", "))
    };
    format!(
        "\nThe API while the plug of one control plane was pulled and it came back (a request is \
         given 2 s):\n\n| seen from | longest silence | requests that failed |\n|---|---|---|\n{}",
        vantages.into_iter().map(line).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ready: f64, kubeadm: Option<f64>) -> Sample {
        let took = |ready| kubeadm::Took { prepared: 1.0, initialised: 2.0, joined: 3.0, ready };
        Sample {
            boot: 8.0,
            ready,
            first: Story { seconds: 60.0, handed_over: true, ..Story::default() },
            again: Story { seconds: 3.0, ..Story::default() },
            plan: 3.0,
            offline: 0.06,
            render: 0.05,
            bare: Memory::default(),
            memory: Memory { anonymous: 1_500_000_000, ..Memory::default() },
            busy: Busy::default(),
            outages: Vec::new(),
            kubeadm: kubeadm.map(took),
        }
    }

    fn report(samples: Vec<Sample>) -> Report {
        Report {
            kubernetes: "1.37".to_owned(),
            processors: 2,
            binary: None,
            size: 20_000_000,
            virtual_machines: None,
            samples,
        }
    }

    #[test]
    fn the_median_is_a_measured_value_and_the_larger_one_of_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[1.0, 4.0]), 4.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_promise_that_is_not_kept_is_said() {
        let kept = report(vec![sample(25.0, None)]).markdown();
        assert!(kept.contains("| `up`: six nodes Ready | 25 s | 25 s | ≤ 35 s |\n"), "{kept}");
        assert!(!kept.contains("missed"), "{kept}");
        let missed = report(vec![sample(36.5, None)]).markdown();
        let line = "| `up`: six nodes Ready | 36.5 s | 36.5 s | ≤ 35 s: **missed** |\n";
        assert!(missed.contains(line), "{missed}");
    }

    #[test]
    fn kubeadm_is_compared_run_by_run() {
        let samples = [(20.0, 100.0), (30.0, 50.0), (20.0, 50.0)];
        let samples = samples.map(|(ready, other)| sample(ready, Some(other)));
        let found = report(samples.to_vec()).markdown();
        let line = "| ringfort's time to Ready as a part of kubeadm's | 0.40 | 0.60 | ≤ 0.50 |\n";
        assert!(found.contains(line), "{found}");
        assert!(!report(vec![sample(20.0, None)]).markdown().contains("kubeadm"));
    }

    #[test]
    fn each_control_plane_is_told_and_failed_requests_are_summed() {
        let outage = |stopped: &str, failed, silent_seconds| Outage {
            stopped: stopped.to_owned(),
            seen_from: "a node",
            tried: 100,
            failed,
            silent_seconds,
        };
        let mut one = sample(20.0, None);
        one.outages = vec![outage("cp1", 1, 2.04), outage("cp2", 0, 0.1)];
        let line = "| a node | cp1 2.0 s, cp2 0.1 s | 1 of 200 |\n";
        let found = report(vec![one]).markdown();
        assert!(found.contains(line), "{found}");
    }
}
