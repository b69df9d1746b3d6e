//! The product on real machines, from outside: one lab, one cluster, cases ordered by how much they
//! destroy. Every case uses the program as a person would, and reads what it says. The last of the longer
//! ones has a lab of its own, whose machines have IPv6 addresses.
//!
//! Needs root, the lab's programs and a bundle; runs where `RINGFORT_E2E=1` and `RINGFORT_BUNDLE`
//! names the bundle's directory. `RINGFORT_E2E_WHOLE` adds the longer cases.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod addons;
mod audit;
mod cases;
mod change;
mod check;
mod cluster;
mod faults;
mod guards;
mod integrity;
mod ipv6;
mod keys;
#[path = "../../../policy/tests/it/model.rs"]
mod model;
mod network;
#[path = "../../../policy/tests/it/objects.rs"]
mod objects;
#[path = "../../../policy/tests/it/pairs.rs"]
mod pairs;
mod proofs;
mod published;
mod receiver;
mod rotation;
mod running;
mod told;
mod traffic;
mod trouble;
mod way_out;

use std::process::ExitCode;
use std::time::Instant;

use cluster::Cluster;

/// One thing that must hold.
pub struct Case {
    name: &'static str,
    run: fn(&Cluster),
    share: Share,
}

/// How much of the cases a run has.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Share {
    /// What is waited for after every change.
    Usual,
    /// All of them, with those that take long.
    Whole,
}

impl Case {
    /// Says whether a run of such a share, or of the cases that are named instead, has this one.
    fn is_wanted(&self, share: Share, named: &[String]) -> bool {
        match named {
            [] => self.share <= share,
            named => named.iter().any(|part| self.name.contains(part.as_str())),
        }
    }
}

/// The machines that the cluster is made of.
pub const MACHINES: &[&str] = &["cp1", "cp2", "cp3", "w1", "w2", "w3"];

fn main() -> ExitCode {
    if let [_, asked, directory] = std::env::args().collect::<Vec<_>>().as_slice()
        && asked == receiver::RECEIVE
    {
        return receiver::receive(directory.as_ref());
    }
    let named: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let share = std::env::var_os("RINGFORT_E2E_WHOLE").map_or(Share::Usual, |_| Share::Whole);
    let cases: Vec<&Case> =
        cases::ALL.iter().filter(|case| case.is_wanted(share, &named)).collect();
    if std::env::var_os("RINGFORT_E2E").is_none() {
        println!("skipped: the end-to-end cases need root and a bundle; set RINGFORT_E2E=1");
        println!("0 passed, 0 failed, {} skipped", cases.len());
        return ExitCode::SUCCESS;
    }
    let cluster = Cluster::boot(&cluster::USUAL);
    let (mut passed, mut failed) = (0, 0);
    for case in &cases {
        let start = Instant::now();
        println!("case {} ...", case.name);
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(&cluster)));
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => match cluster.skipped() {
                Some(why) => println!("case {} ... SKIPPED: {why}", case.name),
                None => {
                    passed += 1;
                    println!("case {} ... ok ({seconds:.1} s)", case.name);
                }
            },
            Err(_) => {
                failed += 1;
                println!("case {} ... FAILED ({seconds:.1} s)", case.name);
                cluster.show_trouble();
                break;
            }
        }
    }
    cluster.end();
    let skipped = cases.len() - passed - failed;
    if named.is_empty() && share == Share::Usual {
        println!("{} longer cases wait for --whole", cases::ALL.len() - cases.len());
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
