//! Looks at a machine: files, kernel settings, ports, keys. It changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use ringfort_host::{Host, quote};
use ringfort_model::act::{
    CertFile, FileSeen, KeptSeen, KeyFile, ListenerSeen, ProcessSeen, ProgramSeen,
};
use ringfort_model::secret::Secret;

/// Runs a command and gives what it wrote.
pub(crate) async fn run(host: &Host, command: &str) -> Result<Vec<u8>, String> {
    let output = host.run(command, &[]).await.map_err(|e| e.to_string())?;
    if output.ok() { Ok(output.stdout) } else { Err(output.complaint()) }
}

async fn text(host: &Host, command: &str) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&run(host, command).await?).into_owned())
}

/// Reads modes and owners; what is not there is left out.
pub(crate) async fn files(
    host: &Host,
    paths: &[String],
) -> Result<BTreeMap<String, FileSeen>, String> {
    let quoted: Vec<String> = paths.iter().map(|path| quote(path)).collect();
    // stat complains of what is not there, and tells the rest.
    let command = format!("stat -c '%a %u %g %n' -- {} 2>/dev/null || true", quoted.join(" "));
    text(host, &command).await?.lines().map(file).collect()
}

fn file(line: &str) -> Result<(String, FileSeen), String> {
    let odd = || format!("stat told a line that is none: {line:?}");
    let mut parts = line.splitn(4, ' ');
    let mut next = || parts.next().ok_or_else(odd);
    let (mode, user, group, path) = (next()?, next()?, next()?, next()?);
    let number = |text: &str| text.parse().map_err(|_| odd());
    let seen = FileSeen { mode: mode.to_owned(), user: number(user)?, group: number(group)? };
    Ok((path.to_owned(), seen))
}

/// Reads kernel settings; what is not there is left out.
pub(crate) async fn kernel(
    host: &Host,
    names: &[String],
) -> Result<BTreeMap<String, String>, String> {
    let one = |name: &String| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        format!("[ -r {0} ] && printf '%s\\t%s\\n' {1} \"$(cat {0})\"", quote(&path), quote(name))
    };
    let commands: Vec<String> = names.iter().map(one).collect();
    let said = text(host, &format!("{}; true", commands.join("; "))).await?;
    let pair = |line: &str| {
        let (name, value) = line.split_once('\t')?;
        Some((name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    Ok(said.lines().filter_map(pair).collect())
}

/// Has a control plane sign a token again that its key has signed, as if it were older.
pub(crate) async fn aged(
    host: &Host,
    program: &str,
    token: &Secret<String>,
    seconds: u64,
) -> Result<Secret<String>, String> {
    let command = format!("exec {program} node aged-token --seconds {seconds}");
    let output = host.run(&command, token.expose().as_bytes()).await.map_err(|e| e.to_string())?;
    match String::from_utf8(output.stdout.clone()) {
        Ok(older) if output.ok() => Ok(Secret::new(older)),
        _ => Err(output.complaint()),
    }
}

/// Tells what running processes may do.
pub(crate) async fn processes(host: &Host, names: &[String]) -> Result<Vec<ProcessSeen>, String> {
    // The kernel cuts a process's short name: the program's own is in its command line.
    let said = text(
        host,
        "grep -E '^Seccomp_filters:' /proc/1/status; \
         for p in /proc/[0-9]*; do \
           name=$(tr '\\0' '\\n' <$p/cmdline 2>/dev/null | head -n 1); [ -n \"$name\" ] || continue; \
           printf 'Program:\\t%s\\n' \"${name##*/}\"; \
           grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp|Seccomp_filters):' $p/status 2>/dev/null; \
           printf 'AppArmor:\t%s\n' \"$(cat $p/attr/apparmor/current 2>/dev/null)\"; \
         done; true",
    )
    .await?;
    let mut found = Vec::new();
    let (machine, blocks) = said.split_once("Program:\t").unwrap_or((&said, ""));
    for block in blocks.split("Program:\t") {
        let process = process(block, field(machine, FILTERS))
            .ok_or_else(|| format!("a process told {block:?}"));
        match block.lines().next() {
            Some(name) if names.iter().any(|wanted| wanted == name) => found.push(process?),
            _ => {}
        }
    }
    Ok(found)
}

/// How many filters of system calls a process is under.
const FILTERS: &str = "Seccomp_filters:";

fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let line = block.lines().find_map(|line| line.strip_prefix(name))?;
    // Of four users, the second is in force.
    line.split_whitespace().nth(usize::from(name == "Uid:"))
}

/// Reads a process. Filters that the whole machine is under, as a machine in a container is, count for
/// nothing.
fn process(block: &str, of_machine: Option<&str>) -> Option<ProcessSeen> {
    let count = |text: Option<&str>| text?.parse::<u32>().ok();
    let is_own = match (count(field(block, FILTERS)), count(of_machine)) {
        (Some(own), Some(machine)) => own > machine,
        // A kernel that does not count them.
        _ => true,
    };
    Some(ProcessSeen {
        name: block.lines().next()?.to_owned(),
        user: field(block, "Uid:")?.parse().ok()?,
        capabilities: field(block, "CapEff:")?.to_owned(),
        no_new_privileges: field(block, "NoNewPrivs:")? == "1",
        app_armor: profile(block),
        seccomp: if is_own { field(block, "Seccomp:")?.parse().ok()? } else { 0 },
    })
}

/// Reads the name of an AppArmor profile, which may hold spaces.
fn profile(block: &str) -> Option<String> {
    let said = block.lines().find_map(|line| line.strip_prefix("AppArmor:"))?.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

/// Tells where a machine listens.
pub(crate) async fn listeners(host: &Host, program: &str) -> Result<Vec<ListenerSeen>, String> {
    let said = run(host, &format!("exec {program} node listeners")).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node listeners: {e}"))
}

/// Looks at what is kept of a server's log.
pub(crate) async fn kept(host: &Host, program: &str, holding: &str) -> Result<KeptSeen, String> {
    let command = format!("exec {program} node kept --holding={}", quote(holding));
    let said = run(host, &command).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node kept: {e}"))
}

/// Reads programs byte by byte.
pub(crate) async fn programs(
    host: &Host,
    program: &str,
    names: &[String],
    paths: &[String],
) -> Result<Vec<ProgramSeen>, String> {
    let names = names.iter().map(|name| format!("--name={}", quote(name)));
    let words: Vec<String> = names.chain(paths.iter().map(|path| quote(path))).collect();
    let said = run(host, &format!("exec {program} node programs {}", words.join(" "))).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node programs: {e}"))
}

/// Asks the enforcer of network policies what is in force.
pub(crate) async fn enforced(
    host: &Host,
    program: &str,
) -> Result<BTreeMap<String, String>, String> {
    let said = run(host, &format!("exec {program} node policy --show")).await?;
    let shown = serde_json::from_slice(&said).map_err(|e| format!("the enforcer: {e}"))?;
    Ok(state(&shown))
}

/// Changes a file that nothing reads, and tells what the machine's agent says of it.
pub(crate) async fn canary(host: &Host, program: &str) -> Result<BTreeMap<String, String>, String> {
    let said = run(host, &format!("exec {program} integrity canary")).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort integrity canary: {e}"))
}

/// Takes what tells its state out of what an enforcer shows.
fn state(shown: &Value) -> BTreeMap<String, String> {
    let told = |name: &&str| shown.get(*name).filter(|value| !value.is_null()).is_some();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let names = ["in_force", "is_whole", "meddled", "behind"];
    names.into_iter().filter(told).map(|name| (name.to_owned(), text(&shown[name]))).collect()
}

/// Looks for private keys, and tells their public halves.
pub(crate) async fn private_keys(host: &Host, program: &str) -> Result<Vec<KeyFile>, String> {
    let said = run(host, &format!("exec {program} node keys")).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node keys: {e}"))
}

/// Looks for certificates.
pub(crate) async fn certificates(host: &Host, program: &str) -> Result<Vec<CertFile>, String> {
    let said = run(host, &format!("exec {program} node certificates")).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node certificates: {e}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{FileSeen, file, process, state};

    #[test]
    fn of_an_enforcer_its_state_is_told_as_far_as_it_is_known() {
        let shown = json!({"in_force": "shown", "is_whole": null, "meddled": 2, "pods": [], "behind": "pods: away"});
        let expected = [("in_force", "shown"), ("meddled", "2"), ("behind", "pods: away")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(state(&shown), expected.into());
    }

    #[test]
    fn modes_and_owners_are_read_with_spaces_in_names() {
        let seen = FileSeen { mode: "600".to_owned(), user: 0, group: 65532 };
        assert_eq!(file("600 0 65532 /etc/a b"), Ok(("/etc/a b".to_owned(), seen)));
        assert!(file("600 root").is_err());
    }

    #[test]
    fn a_process_is_read_as_the_kernel_tells_of_it() {
        let block = "etcd\nUid:\t998\t997\t997\t997\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let seen = process(block, None).unwrap();
        assert_eq!((seen.name.as_str(), seen.user, seen.seccomp), ("etcd", 997, 2));
        assert!(seen.no_new_privileges);
        assert_eq!(seen.app_armor, None);
        let confined = format!("{block}AppArmor:\tcri-containerd.apparmor.d (enforce)\n");
        let profile = process(&confined, None).unwrap().app_armor;
        assert_eq!(profile.as_deref(), Some("cri-containerd.apparmor.d (enforce)"));
        assert_eq!(process(&format!("{block}AppArmor:\t\n"), None).unwrap().app_armor, None);
        assert_eq!(process("etcd\n", None), None);
        let filtered = format!("{block}Seccomp_filters:\t2\n");
        for (of_machine, expected) in [(Some("0"), 2), (Some("1"), 2), (Some("2"), 0), (None, 2)] {
            assert_eq!(process(&filtered, of_machine).unwrap().seccomp, expected);
        }
    }
}
