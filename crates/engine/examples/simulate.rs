//! Lives through simulated worlds: a range of seeds with its figures, one seed with its trace, or
//! every story with somebody killed at every step.
//!
//! Ends with 1 if a law was broken, or if a world took longer in the mean than was allowed.

use std::process::ExitCode;
use std::time::Instant;

use ringfort_engine::sim::{Kill, Outcome, Plant, Story, Victim, run, tell};

const USAGE: &str = "usage: simulate [OPTIONS]

  --seeds FROM..TO   the worlds to live through (0..1000)
  --seed N           one world
  --trace            print what happened in it
  --plant NAME       with a fault that the laws must find; a wrong name lists them all
  --kill-every-step  instead, every story once for each step at which somebody may be killed
  --most-ms N        the longest that a world may take in the mean, in milliseconds";

/// After so many broken laws there is enough to look at.
const MOST_BROKEN: u64 = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["--help"] {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match asked(&arguments) {
        Ok(asked) => simulate(&asked),
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

struct Asked {
    seeds: std::ops::Range<u64>,
    plant: Option<Plant>,
    is_traced: bool,
    kills: bool,
    most_ms: Option<f64>,
}

fn asked(arguments: &[String]) -> Result<Asked, String> {
    let mut asked =
        Asked { seeds: 0..1000, plant: None, is_traced: false, kills: false, most_ms: None };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--trace" => asked.is_traced = true,
            "--kill-every-step" => asked.kills = true,
            _ => {
                let value = rest.next().ok_or_else(|| format!("{argument} needs a value"))?;
                asked.take(argument, value)?;
            }
        }
    }
    Ok(asked)
}

impl Asked {
    fn take(&mut self, argument: &str, value: &str) -> Result<(), String> {
        match argument {
            "--seed" => {
                let seed = number(value)?;
                self.seeds = seed..seed + 1;
            }
            "--seeds" => {
                let (from, to) = value.split_once("..").ok_or("--seeds takes FROM..TO")?;
                self.seeds = number(from)?..number(to)?;
            }
            "--plant" => self.plant = Some(plant(value)?),
            "--most-ms" => {
                let most = value.parse().map_err(|_| format!("{value:?} is no number"))?;
                self.most_ms = Some(most);
            }
            _ => {
                return Err(format!("{argument} is unknown\n{USAGE}"));
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn plant(name: &str) -> Result<Plant, String> {
    let names = || Plant::ALL.map(|(name, _)| name).join(", ");
    let known = Plant::ALL.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, plant)| plant).ok_or_else(|| format!("no such plant; there are {}", names()))
}

/// What was seen of the worlds so far.
#[derive(Default)]
struct Figures {
    worlds: u64,
    events: u64,
    broken: u64,
    longest_ms: f64,
}

impl Figures {
    fn note(&mut self, name: &str, live: impl FnOnce() -> Outcome) -> Outcome {
        let began = Instant::now();
        let outcome = live();
        self.longest_ms = self.longest_ms.max(began.elapsed().as_secs_f64() * 1000.0);
        self.worlds += 1;
        self.events += outcome.events;
        outcome.trace.iter().for_each(|line| println!("{line}"));
        if let Some(law) = &outcome.broken {
            self.broken += 1;
            println!("{name}: {law}");
        }
        outcome
    }
}

fn simulate(asked: &Asked) -> ExitCode {
    let (mut figures, start) = (Figures::default(), Instant::now());
    match asked.kills {
        true => kill_all(asked, &mut figures),
        false => live_all(asked, &mut figures),
    }
    let took_ms = start.elapsed().as_secs_f64() * 1000.0;
    let Figures { worlds, events, broken, longest_ms } = figures;
    #[expect(clippy::cast_precision_loss, reason = "counts of worlds are small")]
    let each_ms = took_ms / worlds.max(1) as f64;
    println!(
        "{worlds} worlds, {events} events, {broken} broken, {each_ms:.3} ms each, {longest_ms:.1} ms at most"
    );
    let slow = asked.most_ms.filter(|most| each_ms > *most);
    if let Some(most) = slow {
        eprintln!("too slow: {each_ms:.3} ms a world in the mean, where {most} ms is the most");
    }
    if broken > 0 {
        eprintln!("{broken} worlds broke a law: each replays by its number with --seed N --trace");
    }
    if broken == 0 && slow.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn live_all(asked: &Asked, figures: &mut Figures) {
    for seed in asked.seeds.clone() {
        let live = || run(seed, asked.plant, asked.is_traced);
        let is_broken = figures.note(&format!("seed {seed}"), live).broken.is_some();
        if figures.broken >= MOST_BROKEN || (is_broken && asked.plant.is_some()) {
            return;
        }
    }
}

fn kill_all(asked: &Asked, figures: &mut Figures) {
    for (seed, story) in asked.seeds.clone().flat_map(|seed| Story::ALL.map(|story| (seed, story)))
    {
        for victim in Victim::of(story) {
            let mut after = 0;
            loop {
                let kill = Some(Kill { victim, after });
                let name = format!("{story:?}, seed {seed}: {victim:?} after {after}");
                let is_killed = figures.note(&name, || tell(story, seed, kill)).is_killed;
                if !is_killed || figures.broken >= MOST_BROKEN {
                    break;
                }
                after += 1;
            }
        }
    }
}
