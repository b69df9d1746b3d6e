//! `cargo xtask bench integrity lab`: makes attacks and ordinary maintenance on the machines of a cluster, and holds
//! what their agents tell against what was done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::lab::{Asked, LAB, Lab};
use super::attacks::{self, Attack, HELP, WAVES, When};
use super::judge::{Came, Judged, Told, Writer, beside, complaints, judge, table};
use super::maintenance::{self, Upkeep};
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench integrity lab [OPTIONS]

Boots a lab, makes a cluster, and does what a day brings: certificates are renewed, tokens and ConfigMaps swapped,
packages upgraded, machines restarted, the specification changed. Nothing of it may be left unexplained. Then attacks
are made on protected files, each found and with who made it; what was seen of one that was not is printed.

  --only TEXT         what has this in its name, of attacks/… and upkeep/…; may be given again
  --list              print all names and do nothing
  --keep              leave the machines as they are in the end; the next run takes them down
  --kubernetes MINOR  the minor of Kubernetes
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       look at what this program makes, instead of the one that would be released";

/// Where scripts of attacks run on a machine.
const DIRECTORY: &str = "/run/story";
/// The agent's unit.
const UNIT: &str = "ringfort-integrity.service";
/// Nothing is told any more if nothing came for so long,
const QUIET: Duration = Duration::from_secs(3);
/// or is not waited for any longer.
const LONGEST: Duration = Duration::from_secs(60);
/// So long agents may take to have looked at everything.
const PATIENCE: Duration = Duration::from_secs(180);
/// So much of what is beside all attacks is printed.
const BESIDE: usize = 40;

/// Does all that is wanted, and prints what came of it. Fails if anything is not as it should be.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let wish = Wish::read(arguments)?;
    match wish.does {
        Does::Help => println!("{USAGE}"),
        Does::List => wish.names().iter().for_each(|name| println!("{name}")),
        Does::Run | Does::RunAndKeep => {
            let ground = wish.asked.prepare(workspace)?;
            let lab = Lab::boot(&ground)?;
            let outcome = show(&lab, workspace, &wish);
            if wish.does == Does::RunAndKeep {
                eprintln!("kept: lab {LAB}, {}", ground.directory.display());
                std::mem::forget(lab);
            }
            return outcome;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Does {
    Help,
    List,
    Run,
    RunAndKeep,
}

struct Wish {
    asked: Asked,
    does: Does,
    attacks: Vec<&'static Attack>,
    upkeep: Vec<&'static Upkeep>,
}

impl Wish {
    fn read(arguments: &[&str]) -> Result<Self> {
        let (mut asked, mut does, mut only) = (Asked::usual(), Does::Run, Vec::new());
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--help" => does = Does::Help,
                "--list" => does = Does::List,
                "--keep" => does = Does::RunAndKeep,
                option => {
                    let value = arguments.next().copied().ok_or_else(|| Failure::usage(USAGE))?;
                    if option == "--only" {
                        only.push(value);
                    } else if !asked.takes(option, value) {
                        return Err(Failure::usage(format!("{option} is unknown\n{USAGE}")));
                    }
                }
            }
        }
        let is_wanted =
            |name: &str| only.is_empty() || only.iter().any(|part| name.contains(*part));
        let attacks: Vec<_> = attacks::all().filter(|it| is_wanted(&it.name())).collect();
        let upkeep: Vec<_> = maintenance::ALL.iter().filter(|it| is_wanted(&it.name())).collect();
        if attacks.is_empty() && upkeep.is_empty() {
            return Err(Failure::usage(format!("nothing has such a name\n{USAGE}")));
        }
        Ok(Self { asked, does, attacks, upkeep })
    }

    fn names(&self) -> Vec<String> {
        let upkeep = self.upkeep.iter().map(|it| it.name());
        upkeep.chain(self.attacks.iter().map(|it| it.name())).collect()
    }
}

fn show(lab: &Lab<'_>, workspace: &Workspace, wish: &Wish) -> Result<()> {
    let (_, made) = lab.converge("up")?;
    if !made.handed_over {
        return Err(Failure::findings(format!("not proved: {}", made.not_proved.join("; "))));
    }
    watching(lab)?;
    let mut wrong = maintenance::keep_up(lab, workspace, &wish.upkeep)?;
    wrong.extend(attack(lab, &wish.attacks)?);
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(Failure::findings(wrong.join("\n"))),
    }
}

/// Makes the attacks wave by wave, prints what came of them, and gives what is wrong.
fn attack(lab: &Lab<'_>, attacks: &[&'static Attack]) -> Result<Vec<String>> {
    let (mut judged, mut wrong) = (Vec::new(), Vec::new());
    for when in WAVES {
        let wave: Vec<_> = attacks.iter().copied().filter(|it| it.when == when).collect();
        if !wave.is_empty() {
            let (of_wave, unclean) = made(lab, when, &wave)?;
            judged.extend(of_wave);
            wrong.extend(unclean);
        }
    }
    if judged.is_empty() {
        return Ok(wrong);
    }
    println!("{}", table(&judged));
    judged.iter().filter(|one| !is_well(one)).for_each(print_seen);
    wrong.extend(complaints(&judged));
    Ok(wrong)
}

/// Makes the attacks of a wave, on all machines at once, and undoes them. Gives what came of each, and what is wrong
/// besides.
fn made(lab: &Lab<'_>, when: When, wave: &[&'static Attack]) -> Result<(Vec<Judged>, Vec<String>)> {
    eprintln!("{} attacks are made", wave.len());
    let unready = on_each(lab, wave, Part::Before)?;
    let known = settled(lab)?.known();
    agents(lab, wave, when, "stop")?;
    let mut errors = on_each(lab, wave, Part::Does)?;
    agents(lab, wave, when, "start")?;
    errors.extend(unready);
    watching(lab)?;
    let new = settled(lab)?.after(&known);
    let judged = wave.iter().map(|attack| {
        let changes = new.machines.get(attack.on).map(Vec::as_slice).unwrap_or_default();
        judge(attack, errors.get(attack.id), changes)
    });
    let judged = judged.collect();
    print_beside(&beside(wave, &new));
    let mut wrong = new.unseen;
    let left = on_each(lab, wave, Part::Undoes)?;
    wrong.extend(left.iter().map(|(id, why)| format!("attacks/{id} could not be undone: {why}")));
    watching(lab)?;
    settled(lab)?;
    Ok((judged, wrong))
}

fn is_well(one: &Judged) -> bool {
    let is_named = matches!(one.writer, Some(Writer::Right | Writer::Shell | Writer::Declared(_)));
    one.came == Came::Found && is_named
}

fn print_seen(one: &Judged) {
    println!("{} on {}: seen at its paths:", one.attack.name(), one.attack.on);
    match one.seen.as_slice() {
        [] => println!("  nothing"),
        seen => seen.iter().for_each(|line| println!("  {line}")),
    }
}

fn print_beside(all: &[String]) {
    if all.is_empty() {
        return;
    }
    println!("told at paths of no attack, {} in all:", all.len());
    all.iter().take(BESIDE).for_each(|line| println!("  {line}"));
}

/// Stops or starts the agents of the machines of a wave, where it is one without them.
fn agents(lab: &Lab<'_>, wave: &[&'static Attack], when: When, verb: &str) -> Result<()> {
    if when != When::Stopped {
        return Ok(());
    }
    for machine in machines(wave) {
        lab.on(machine, &format!("systemctl {verb} {UNIT}"))?;
    }
    Ok(())
}

fn machines(wave: &[&'static Attack]) -> BTreeSet<&'static str> {
    wave.iter().map(|attack| attack.on).collect()
}

/// A part of an attack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Before,
    Does,
    Undoes,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Does => "does",
            Self::Undoes => "undoes",
        }
    }

    fn of(self, attack: &Attack) -> &'static str {
        match self {
            Self::Before => attack.before,
            Self::Does => attack.does,
            Self::Undoes => attack.undoes,
        }
    }
}

/// Does a part of attacks, on all their machines at once. Gives those that failed, each with how.
fn on_each(
    lab: &Lab<'_>,
    wave: &[&'static Attack],
    part: Part,
) -> Result<BTreeMap<String, String>> {
    let machines = machines(wave);
    let said: Vec<Result<BTreeMap<String, String>>> = thread::scope(|scope| {
        let running: Vec<_> = machines
            .iter()
            .map(|&machine| scope.spawn(move || on_one(lab, machine, wave, part)))
            .collect();
        let ended_badly = || Err(Failure::stuck("a thread ended badly"));
        running.into_iter().map(|it| it.join().unwrap_or_else(|_| ended_badly())).collect()
    });
    let mut all = BTreeMap::new();
    for each in said {
        all.extend(each?);
    }
    Ok(all)
}

fn on_one(
    lab: &Lab<'_>,
    machine: &'static str,
    wave: &[&'static Attack],
    part: Part,
) -> Result<BTreeMap<String, String>> {
    let path = lab.ground.directory.join(format!("attacks-{machine}-{}", part.word()));
    let file = File::create(&path).map_err(|source| Failure::at("write", &path, &source))?;
    let own = wave.iter().copied().filter(|attack| attack.on == machine);
    let script = script(own, part);
    let mut ssh = lab.command(&["ssh", LAB, machine, "--", "sh -s"]);
    ssh.stdout(file);
    process::feed(&mut ssh, &mut script.as_bytes())?;
    let said = fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))?;
    Ok(failed(&said))
}

/// Writes a script that does a part of attacks one after the other, each in a shell of its own, and says which failed.
fn script<'a>(attacks: impl Iterator<Item = &'a Attack>, part: Part) -> String {
    let mut text = format!(
        "mkdir -p {DIRECTORY} && cd {DIRECTORY} || exit 1\ncat >help <<'STORY'\n{HELP}STORY\n\
         [ -e program ] || {{ printf '# story\\n' >text; cp /usr/bin/true program; }}\n"
    );
    // What can be undone is, whatever else cannot.
    let options = if part == Part::Undoes { "-u" } else { "-eu" };
    for attack in attacks.filter(|attack| !part.of(attack).is_empty()) {
        let file = format!("{}.{}", attack.id, part.word());
        text.push_str(&format!(
            "cat >{file} <<'STORY'\n. ./help\n{}\nSTORY\n\
             timeout 90 sh {options} ./{file} >{file}.said 2>&1 </dev/null || \
             echo \"failed {} $? $(tail -n 1 {file}.said)\"\nsleep 0.3\n",
            part.of(attack),
            attack.id
        ));
    }
    if part == Part::Undoes {
        text.push_str(
            "[ ! -e made ] || tac made | xargs -r rmdir -p --ignore-fail-on-non-empty\nrm -f made\n",
        );
    }
    text + "true\n"
}

/// Reads which attacks failed.
fn failed(said: &str) -> BTreeMap<String, String> {
    let one = |line: &str| {
        let (id, how) = line.strip_prefix("failed ")?.split_once(' ')?;
        Some((id.to_owned(), how.trim().to_owned()))
    };
    said.lines().filter_map(one).collect()
}

/// Asks every machine what changed.
fn told(lab: &Lab<'_>) -> Result<Told> {
    let text = integrity(lab, "changes", &["--since", "24h"])?;
    let path = lab.ground.directory.join("changes.json");
    fs::write(&path, &text).map_err(|source| Failure::at("write", &path, &source))?;
    Told::read(&text)
        .ok_or_else(|| Failure::stuck(format!("what changed was not said: see {}", path.display())))
}

/// Runs `ringfort integrity VERB --json`. That something was found is an answer.
fn integrity(lab: &Lab<'_>, verb: &str, more: &[&str]) -> Result<String> {
    let mut command = lab.inside(&lab.ground.ringfort);
    command.args(["integrity", verb, "--json"]).args(more).arg("--file").arg(lab.spec());
    process::listen(&mut command).map(|(_, text)| text)
}

/// Waits until nothing is told any more, and gives all that was.
pub(super) fn settled(lab: &Lab<'_>) -> Result<Told> {
    let began = Instant::now();
    let mut last = told(lab)?;
    loop {
        thread::sleep(QUIET);
        let now = told(lab)?;
        if now == last || began.elapsed() > LONGEST {
            return Ok(now);
        }
        last = now;
    }
}

/// Waits until every agent watches, and has looked at everything since changes may have been missed.
pub(super) fn watching(lab: &Lab<'_>) -> Result<()> {
    let began = Instant::now();
    loop {
        let said = integrity(lab, "status", &[])?;
        let blind = blind(&serde_json::from_str(&said).unwrap_or_default());
        if blind.is_empty() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(Failure::stuck(format!("agents do not see: {}", blind.join("; "))));
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// Names the machines whose agents do not see everything, each with why.
fn blind(status: &Value) -> Vec<String> {
    let Some(machines) = status["machines"].as_array().filter(|all| !all.is_empty()) else {
        return vec!["no machine said anything".to_owned()];
    };
    let why = |of: &Value| {
        if of["runs"] != true {
            return Some(format!("it does not run ({})", of["unseen"]));
        }
        if !of["status"]["verified"].is_u64() {
            return Some("it has not looked at everything".to_owned());
        }
        let since = &of["status"]["blindSince"];
        (!since.is_null()).then(|| format!("it may have missed something since {since}"))
    };
    let named = |of: &Value| Some(format!("{}: {}", of["node"], why(of)?));
    machines.iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_choose_what_is_done() {
        let all = Wish::read(&[]).unwrap();
        assert_eq!(all.does, Does::Run);
        assert_eq!(all.attacks.len(), attacks::all().count());
        assert_eq!(all.upkeep.len(), maintenance::ALL.len());
        let one = Wish::read(&["--only", "attacks/cron-job", "--keep"]).unwrap();
        assert_eq!(
            (one.names(), one.does),
            (vec!["attacks/cron-job".to_owned()], Does::RunAndKeep)
        );
        assert!(Wish::read(&["--only", "upkeep/", "--list"]).unwrap().attacks.is_empty());
        for wrong in [&["--only", "no such name"][..], &["--only"], &["--other", "a"]] {
            assert!(Wish::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn scripts_do_their_part_of_each_attack_and_say_which_failed() {
        let attack = attacks::all().find(|attack| attack.id == "cron-hourly").unwrap();
        let without = attacks::all().find(|attack| attack.before.is_empty()).unwrap();
        let before = script([attack, without].into_iter(), Part::Before);
        assert!(before.contains("within /etc/cron.hourly\nSTORY\n"), "{before}");
        assert!(!before.contains(&format!("cat >{}.", without.id)), "{before}");
        let does = script([attack].into_iter(), Part::Does);
        assert!(does.contains("timeout 90 sh -eu ./cron-hourly.does"), "{does}");
        let undoes = script([attack].into_iter(), Part::Undoes);
        assert!(undoes.contains("sh -u ./cron-hourly.undoes") && undoes.contains("rmdir"));
        let said = "noise\nfailed a-b 1 cp: no such file\nfailed c 124 \nfailed\n";
        let expected = [("a-b", "1 cp: no such file"), ("c", "124")];
        let expected = expected.map(|(id, how)| (id.to_owned(), how.to_owned()));
        assert_eq!(failed(said), expected.into());
    }

    #[test]
    fn an_agent_that_does_not_see_everything_is_waited_for() {
        let blind_of = |machine: Value| blind(&json!({ "machines": [machine] }));
        let well = json!({"node": "w1", "runs": true, "status": {"verified": 7}});
        assert_eq!(blind_of(well), [""; 0]);
        for not in [
            json!({"node": "w1", "runs": false, "unseen": "no answer"}),
            json!({"node": "w1", "runs": true, "status": {}}),
            json!({"node": "w1", "runs": true, "status": {"verified": 7, "blindSince": 5}}),
        ] {
            assert_eq!(blind_of(not).len(), 1);
        }
        assert_eq!(blind(&json!({})).len(), 1);
        assert_eq!(blind(&json!({"machines": []})).len(), 1);
    }
}
