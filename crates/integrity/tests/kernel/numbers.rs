//! Who has a number now is not taken for who wrote under it before.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use ringfort_integrity::journal::Told;
use ringfort_integrity::process::Who;

use super::Room;
use super::agent::{STALL, Site, WATCHED, exe, program};

/// Writes as a process that was forked and ran no program, until another that does has its number, and says so.
const SCRIPT: &str = r#"
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    { echo "$n" >"$1"; } &
    number=$!
    wait "$number"
    echo $((number - 1)) >/proc/sys/kernel/ns_last_pid || exit 1
    "$2" 60 &
    if [ "$!" = "$number" ]; then
        echo "$number"
        read -r _
        kill "$number"
        wait "$number"
        exit 0
    fi
    kill "$!"
    wait "$!"
done
exit 1
"#;

/// Numbers are given out of turn where nobody else has any.
pub(super) fn who_has_the_number_now_is_not_taken_for_who_wrote(_: &Room) {
    let own = std::env::current_exe().unwrap();
    let mut alone = Command::new("unshare");
    let alone = alone.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(own);
    assert!(alone.arg("numbers").status().unwrap().success());
}

/// The same, in a namespace of processes.
pub(super) fn inside() -> ExitCode {
    let room = Room::new();
    let (site, sleep, copy) =
        (Site::new(&room, room.at("root")), program(&room, "sleep"), program(&room, "cp"));
    let [forked, short] = ["forked", "short"].map(|name| format!("{WATCHED}/{name}"));
    site.with_agent(|ears| {
        // What follows is heard when all of it has happened.
        fs::write(site.at(STALL), "x").unwrap();
        ears.change(STALL);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(site.at(&forked)).arg(&sleep);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let number: i32 = said(&mut shell).trim().parse().expect("a number was given again");
        let copied = Command::new(&copy).arg(&sleep).arg(site.at(&short)).status();
        assert!(copied.unwrap().success());
        let change = ears.change(&forked);
        let name = fs::read_link(format!("/proc/{number}/exe")).unwrap();
        assert_eq!(name, sleep, "another has the number");
        // Its end is waited for: what it runs lies in the room.
        drop(shell.stdin.take());
        assert!(shell.wait().unwrap().success());
        match &change.who {
            Who::Unknown(why) => assert!(why.contains("belongs to another process"), "{why}"),
            Who::Process(_) => panic!("{change:?}"),
        }
        let change = ears.change(&short);
        assert_eq!(exe(&change), copy.to_str().unwrap(), "{change:?}");
        let limits = ears.wait("its beginning", |told| match told {
            Told::Began { limits, .. } => Some(limits.clone()),
            _ => None,
        });
        assert!(limits.is_empty(), "{limits:?}");
    });
    ExitCode::SUCCESS
}

fn said(shell: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}
