//! Real labs on this host: they live, are hurt, crash and leave nothing. Needs root, the programs
//! that labs need and package sources; runs only when asked for with `RINGFORT_E2E=1`. Its labs have
//! names and a directory of their own, so that nobody's lab is touched.

#![allow(clippy::unwrap_used, reason = "all of this is a test, though without the usual harness")]

mod traces;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ringfort_lab::{Cut, Down, Lab, LabError, LabName, Off, Places, SEED, Shape, Wanted};
use ringfort_model::name::NodeName;
use ringfort_model::net::Family;

use traces::Traces;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, name] = arguments.as_slice()
        && word == UP
    {
        up(name);
        return ExitCode::SUCCESS;
    }
    if env::var_os("RINGFORT_E2E").is_none() {
        println!("lab: SKIPPED, no lab was booted: set RINGFORT_E2E=1 and run as root");
        return ExitCode::SUCCESS;
    }
    fs::create_dir_all(state()).expect("the target directory can be written");
    // `cargo xtask test` takes down what bears the number of a process that is no more.
    let lab = format!("rf-test-{}", std::process::id());
    let virtual_ones = env::var_os("RINGFORT_VM").map(|_| VIRTUAL);
    if virtual_ones.is_none() {
        println!("lab: {} ... SKIPPED: set RINGFORT_VM=1, it takes minutes", VIRTUAL.0);
    }
    for (name, scenario) in SCENARIOS.into_iter().chain(virtual_ones) {
        let begun = Instant::now();
        let before = Traces::taken();
        scenario(&lab);
        before.assert_nothing_more(&lab);
        println!("lab: {name} ... ok ({:.1} s)", begun.elapsed().as_secs_f32());
    }
    ExitCode::SUCCESS
}

type Scenario = (&'static str, fn(&str));

const SCENARIOS: [Scenario; 7] = [
    ("a machine lives, dies and comes back", a_machine_lives_dies_and_comes_back),
    ("cuts are felt until they are healed", cuts_are_felt_until_they_are_healed),
    ("machines of IPv6 speak nothing else", machines_of_ipv6_speak_nothing_else),
    ("two labs do not meet", two_labs_do_not_meet),
    ("down finds everything after a crash", down_finds_everything_after_a_crash),
    ("up finishes what a crash left", up_finishes_what_a_crash_left),
    ("down needs no record", down_needs_no_record),
];

const VIRTUAL: Scenario =
    ("a virtual machine is one of the lab's", a_virtual_machine_is_one_of_the_labs);

fn a_machine_lives_dies_and_comes_back(name: &str) {
    let lab = up(name);
    assert_eq!(on(&lab, "cp1", "hostname; systemctl is-system-running --wait"), "cp1\nrunning\n");

    on(&lab, "w1", STOP_MARK);
    lab.stop(&[node("w1")], Off::Graceful, &silent).unwrap();
    lab.start(&[], &silent).unwrap();
    assert_eq!(on(&lab, "w1", "ls /stopped"), "/stopped\n", "systemd stopped its units");

    on(&lab, "w1", "rm /stopped; echo kept > /var/lib/etcd/kept; echo kept > /etc/kept; sync");
    lab.stop(&[node("w1")], Off::Hard, &silent).unwrap();
    lab.start(&[node("w1")], &silent).unwrap();
    let seen = on(&lab, "w1", "ls /stopped; cat /var/lib/etcd/kept /etc/kept");
    assert_eq!(seen, "kept\nkept\n", "nothing was stopped, what was synced is there");

    let former = on(&lab, "w1", "cat /proc/sys/kernel/random/boot_id; systemctl reboot");
    let another = || on(&lab, "w1", "cat /proc/sys/kernel/random/boot_id");
    wait_until(|| !["", former.as_str()].contains(&another().as_str()));

    lab.wipe(&node("w1")).unwrap();
    lab.start(&[], &silent).unwrap();
    assert_eq!(on(&lab, "w1", "ls /etc/kept /var/lib/etcd/kept"), "");
    assert_eq!(Lab::down(&places(), lab.name()).unwrap(), Down::Gone);
    assert_eq!(Lab::down(&places(), lab.name()).unwrap(), Down::Absent);
    assert!(matches!(Lab::open(&places(), lab.name()), Err(LabError::NoLab { .. })));
}

fn cuts_are_felt_until_they_are_healed(name: &str) {
    let mut lab = up(name);
    let check = |lab: &Lab, peer, operator| {
        assert_eq!((cp1_hears_w1(lab), answers(lab, "w1")), (peer, operator));
    };
    check(&lab, true, true);
    lab.cut(Cut::between(node("w1"), node("cp1")).unwrap()).unwrap();
    check(&lab, false, true);
    lab.stop(&[node("w1")], Off::Hard, &silent).unwrap();
    lab.start(&[], &silent).unwrap();
    check(&lab, false, true);
    lab.heal(|_| true).unwrap();
    check(&lab, true, true);
    lab.cut(Cut::Alone(node("w1"))).unwrap();
    check(&lab, false, false);
    lab.heal(|cut| cut.concerns(&node("w1"))).unwrap();
    check(&lab, true, true);
    Lab::down(&places(), lab.name()).unwrap();
}

fn machines_of_ipv6_speak_nothing_else(name: &str) {
    let mut lab = up_with(name, Family::V6, &[]);
    let addresses = "ip -o addr show dev eth0 scope global | grep -o 'inet.*/[0-9]*'";
    assert_eq!(on(&lab, "cp1", addresses), "inet6 fd00:10:77::11/64\n");
    let settings = "cat /proc/sys/net/ipv6/conf/{all,default,eth0}/disable_ipv6";
    assert_eq!(on(&lab, "cp1", &format!("bash -c '{settings}'")), "0\n0\n0\n");
    let check = |lab: &Lab, peer, operator| {
        assert_eq!((cp1_hears_w1(lab), answers(lab, "w1")), (peer, operator));
    };
    check(&lab, true, true);
    lab.cut(Cut::between(node("w1"), node("cp1")).unwrap()).unwrap();
    check(&lab, false, true);
    lab.stop(&[node("w1")], Off::Hard, &silent).unwrap();
    lab.start(&[], &silent).unwrap();
    lab.heal(|_| true).unwrap();
    check(&lab, true, true);
    lab.cut(Cut::Alone(node("w1"))).unwrap();
    check(&lab, false, false);
    Lab::down(&places(), lab.name()).unwrap();
}

fn two_labs_do_not_meet(name: &str) {
    let mut one = up(&format!("{name}-1"));
    let other = up(&format!("{name}-2"));
    on(&one, "w1", "echo one > /etc/which");
    on(&other, "w1", "echo other > /etc/which");
    assert_eq!(on(&one, "w1", "cat /etc/which"), "one\n");
    assert_eq!(on(&other, "w1", "cat /etc/which"), "other\n");
    one.cut(Cut::Alone(node("w1"))).unwrap();
    assert!(!answers(&one, "w1") && answers(&other, "w1"));
    let overcommit = || fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap();
    Lab::down(&places(), one.name()).unwrap();
    assert!(answers(&other, "w1"));
    assert_eq!(overcommit(), "1\n", "the other lab still needs it");
    Lab::down(&places(), other.name()).unwrap();
}

fn down_finds_everything_after_a_crash(name: &str) {
    for delay in CRASHES {
        let before = Traces::taken();
        crash(name, delay);
        Lab::down(&places(), &lab_name(name)).unwrap();
        before.assert_nothing_more(name);
    }
}

fn up_finishes_what_a_crash_left(name: &str) {
    for delay in CRASHES {
        crash(name, delay);
        let lab = up(name);
        assert!(answers(&lab, "cp1") && answers(&lab, "w1"), "after a crash at {delay:?}");
    }
    Lab::down(&places(), &lab_name(name)).unwrap();
}

fn down_needs_no_record(name: &str) {
    let lab = up(name);
    fs::write(lab.home().path().join("lab.json"), "{\"format\": 1, \"na").unwrap();
    assert!(matches!(Lab::open(&places(), lab.name()), Err(LabError::Record { .. })));
    assert!(Lab::list(&places()).unwrap().contains(lab.name()));
    assert_eq!(Lab::down(&places(), lab.name()).unwrap(), Down::Gone);
}

fn a_virtual_machine_is_one_of_the_labs(name: &str) {
    let mut lab = up_with(name, Family::V4, &["w1"]);
    let facts = "stat -fc %T /sys/fs/cgroup; cat /sys/module/apparmor/parameters/enabled; \
                 modprobe wireguard && echo module; hostname; systemctl is-system-running --wait";
    assert_eq!(on(&lab, "w1", facts), "cgroup2fs\nY\nmodule\nw1\nrunning\n");
    assert_eq!(on(&lab, "w1", &format!("head -c4 {SEED}/word")), "seed", "the store is seen");

    assert!(cp1_hears_w1(&lab));
    lab.cut(Cut::between(node("w1"), node("cp1")).unwrap()).unwrap();
    assert!(!cp1_hears_w1(&lab) && answers(&lab, "w1"));
    lab.heal(|_| true).unwrap();

    on(&lab, "w1", STOP_MARK);
    lab.stop(&[node("w1")], Off::Graceful, &silent).unwrap();
    lab.start(&[], &silent).unwrap();
    assert_eq!(on(&lab, "w1", "ls /stopped"), "/stopped\n", "systemd stopped its units");

    on(&lab, "w1", "rm /stopped; echo kept > /etc/kept; sync");
    lab.stop(&[node("w1")], Off::Hard, &silent).unwrap();
    lab.start(&[node("w1")], &silent).unwrap();
    assert_eq!(on(&lab, "w1", "ls /stopped; cat /etc/kept"), "kept\n");

    lab.wipe(&node("w1")).unwrap();
    lab.start(&[], &silent).unwrap();
    assert_eq!(on(&lab, "w1", "ls /etc/kept"), "");
    Lab::down(&places(), lab.name()).unwrap();
}

/// Starts a lab in a process of its own and kills that after a while.
fn crash(name: &str, delay: Duration) {
    let program = env::current_exe().unwrap();
    let mut child = Command::new(program).args([UP, name]).stderr(Stdio::null()).spawn().unwrap();
    sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn up(name: &str) -> Lab {
    up_with(name, Family::V4, &[])
}

fn up_with(name: &str, family: Family, virtual_machines: &[&str]) -> Lab {
    let shape = Shape::new(1, 1).unwrap().over(family);
    let virtual_machines: BTreeSet<NodeName> = virtual_machines.iter().map(|n| node(n)).collect();
    let store = state().join(format!("{name}.store"));
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("word"), "seed").unwrap();
    let wanted = Wanted {
        shape,
        store: Some(&store),
        virtual_machines: &virtual_machines,
        memory_mebibytes: MEMORY_MEBIBYTES,
    };
    let lab = Lab::create(&places(), &lab_name(name), &wanted, &loud).unwrap();
    lab.start(&[], &silent).unwrap();
    lab
}

fn wait_until(happens: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !happens() {
        assert!(Instant::now() < deadline, "it did not happen");
        sleep(Duration::from_millis(100));
    }
}

/// Runs a command on a machine and gives what it wrote.
fn on(lab: &Lab, machine: &str, command: &str) -> String {
    let arguments = lab.ssh_arguments(&node(machine)).unwrap();
    let output = lab.inside("ssh").args(arguments).arg(command).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Whether cp1 is told what w1's SSH server says first.
fn cp1_hears_w1(lab: &Lab) -> bool {
    let address = lab.machine(&node("w1")).unwrap().address;
    let greeting = format!("timeout 1 bash -c 'head -c4 </dev/tcp/{address}/22'");
    on(lab, "cp1", &greeting) == "SSH-"
}

fn answers(lab: &Lab, machine: &str) -> bool {
    let quickly = ["-o", "ConnectTimeout=1"];
    let arguments = lab.ssh_arguments(&node(machine)).unwrap();
    let mut ssh = lab.inside("ssh");
    ssh.args(quickly).args(arguments).arg("true").stderr(Stdio::null());
    ssh.status().unwrap().success()
}

fn places() -> Places {
    let home = || PathBuf::from(env::var_os("HOME").expect("HOME is set")).join(".cache");
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    Places::new(Some(state()), &cache)
}

fn state() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("labs")
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn lab_name(name: &str) -> LabName {
    name.parse().unwrap()
}

fn silent(_: &str) {}

fn loud(line: &str) {
    println!("lab: {line}");
}

const MEMORY_MEBIBYTES: u32 = 2048;

const UP: &str = "--up";

/// A unit that leaves a mark when it is stopped, as opposed to killed.
const STOP_MARK: &str = "printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\n\
ExecStart=true\\nExecStop=touch /stopped\\n[Install]\\nWantedBy=multi-user.target\\n' \
> /etc/systemd/system/mark.service; systemctl enable --now mark 2>/dev/null";

/// Moments at which a lab is in the middle of something; its start takes about a second.
const CRASHES: [Duration; 8] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(80),
    Duration::from_millis(110),
    Duration::from_millis(150),
    Duration::from_millis(250),
    Duration::from_millis(500),
];
