//! Lives through simulated worlds: a range of seeds with its figures, or one seed with its trace.
//!
//! `simulate --seeds 0..100000`, `simulate --seed 17 --trace`, either with `--plant NAME`.

use std::process::ExitCode;
use std::time::Instant;

use ringfort_engine::sim::{Plant, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
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
}

fn asked(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { seeds: 0..1000, plant: None, is_traced: false };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--trace" {
            asked.is_traced = true;
            continue;
        }
        let value = rest.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--seed" => {
                let seed = number(value)?;
                asked.seeds = seed..seed + 1;
            }
            "--seeds" => {
                let (from, to) = value.split_once("..").ok_or("--seeds takes FROM..TO")?;
                asked.seeds = number(from)?..number(to)?;
            }
            "--plant" => asked.plant = Some(plant(value)?),
            _ => {
                return Err(format!(
                    "{argument} is unknown: use --seeds, --seed, --trace, --plant"
                ));
            }
        }
    }
    Ok(asked)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn plant(name: &str) -> Result<Plant, String> {
    let names = || Plant::ALL.map(|(name, _)| name).join(", ");
    let known = Plant::ALL.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, plant)| plant).ok_or_else(|| format!("no such plant; there are {}", names()))
}

fn simulate(asked: &Asked) -> ExitCode {
    let (count, start) = (asked.seeds.end.saturating_sub(asked.seeds.start), Instant::now());
    let (mut broken, mut events, mut longest_ms) = (0_u64, 0, 0.0_f64);
    for seed in asked.seeds.clone() {
        let began = Instant::now();
        let outcome = run(seed, asked.plant, asked.is_traced);
        longest_ms = longest_ms.max(began.elapsed().as_secs_f64() * 1000.0);
        events += outcome.events;
        outcome.trace.iter().for_each(|line| println!("{line}"));
        if let Some(law) = outcome.broken {
            broken += 1;
            println!("seed {seed}: {law}");
            if broken >= 20 || asked.plant.is_some() {
                break;
            }
        }
    }
    let took_ms = start.elapsed().as_secs_f64() * 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "counts of seeds are small")]
    let each_ms = took_ms / count.max(1) as f64;
    println!(
        "{count} seeds, {events} events, {broken} broken, {each_ms:.3} ms a seed, {longest_ms:.1} ms at most"
    );
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
