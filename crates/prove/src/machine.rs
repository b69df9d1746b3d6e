//! Looks at a machine: files, kernel settings, ports, keys. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use ringfort_host::{Host, quote};
use ringfort_model::act::{
    CertFile, FileSeen, KeptSeen, KeyFile, ListenerSeen, ProcessSeen, ProgramSeen, ToldSeen,
};
use ringfort_model::name::NodeName;
use ringfort_model::receiver::Recipient;
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
    // A setting of several values has them on one line, with tabs between.
    let one = |name: &String| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        format!("read -r it <{0} && printf '%s\\t%s\\n' {1} \"$it\"", quote(&path), quote(name))
    };
    let commands: Vec<String> = names.iter().map(one).collect();
    let said = text(host, &format!("{{ {}; }} 2>/dev/null; true", commands.join("; "))).await?;
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

/// Tells what running processes of these names may do.
pub(crate) async fn processes(
    host: &Host,
    program: &str,
    names: &[String],
) -> Result<Vec<ProcessSeen>, String> {
    let words: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let said = run(host, &format!("exec {program} node processes -- {}", words.join(" "))).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node processes: {e}"))
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

/// Looks at who was told what a detection found.
pub(crate) async fn told(
    host: &Host,
    program: &str,
    holding: &str,
    detection: &str,
    to: &BTreeSet<Recipient>,
) -> Result<ToldSeen, String> {
    let to: Vec<&str> = to.iter().map(|one| one.name()).collect();
    let command = format!(
        "exec {program} node told --holding={} --detection={} -- {}",
        quote(holding),
        quote(detection),
        to.join(" ")
    );
    let said = run(host, &command).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node told: {e}"))
}

/// Looks at which changes are kept that machines' agents told.
pub(crate) async fn reported(
    host: &Host,
    program: &str,
    changes: &BTreeMap<NodeName, String>,
) -> Result<BTreeMap<String, String>, String> {
    let words: Vec<String> =
        changes.iter().map(|(node, change)| quote(&format!("{node}={change}"))).collect();
    let said = run(host, &format!("exec {program} node reported -- {}", words.join(" "))).await?;
    serde_json::from_slice(&said).map_err(|e| format!("ringfort node reported: {e}"))
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

    use super::{FileSeen, file, state};

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
}
