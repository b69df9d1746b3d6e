//! Every API server has loaded the guards that the blueprint holds, and no other: an empty directory
//! is loaded without a word, and would take all of them away.

use std::collections::BTreeMap;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::judgement::Decided;

use crate::proof::{Scene, done, fail, gap, pass, words};

/// Looks before giving up: a server reads its files again within seconds, at the latest in a minute.
const LOOKS: usize = 70;
const PAUSE_MS: u64 = 1_000;

/// The metric that names the digest of what is loaded, by plugin.
const FAMILY: &str = "apiserver_manifest_admission_config_controller";
const INFO: &str = "last_config_info{";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    if scene.guards.is_empty() {
        let reason = "before 1.37 guards are objects of the API, and compared as such".to_owned();
        return done(Ok(Decided::NotApplicable { reason }));
    }
    let servers = scene.control_planes.len();
    if transcript.is_empty() {
        return look(scene);
    }
    let last = &transcript[transcript.len() - servers..];
    let looks = transcript.iter().filter(|(act, _)| matches!(act, Act::Wait { .. })).count();
    for (act, seen) in last {
        let Act::Ask { server, .. } = act else { continue };
        let Seen::Lines(lines) = seen else {
            return gap(
                format!("{server}: its metrics were not read: {}", words(seen)),
                "ringfort up",
            );
        };
        let loaded = loaded(lines);
        let Some((plugin, _)) = scene.guards.iter().find(|(p, hash)| loaded.get(*p) != Some(hash))
        else {
            continue;
        };
        if looks <= LOOKS {
            return look(scene);
        }
        return fail(
            format!("{server}: the files of {plugin} that it has loaded are not the blueprint's"),
            "look at the server's log for \"reloading manifest config\": ringfort up",
        );
    }
    pass(
        format!(
            "each of {servers} servers has loaded the guards of the blueprint, and no other: {}",
            scene.guards.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
        last,
    )
}

fn look(scene: &Scene) -> Next {
    let ask = |server: &_| Act::Ask {
        server: Clone::clone(server),
        speaker: Speaker::Keeper,
        ask: Ask::Metrics { beginning: FAMILY.to_owned() },
    };
    let mut acts = vec![Act::Wait { ms: PAUSE_MS }];
    acts.extend(scene.control_planes.iter().map(ask));
    Next::Do(acts)
}

/// Reads the digest of what is loaded, by plugin.
fn loaded(lines: &[String]) -> BTreeMap<String, String> {
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    // A digest that was replaced may still be there with the value 0.
    let current =
        lines.iter().filter(|line| line.contains(INFO) && line.trim_end().ends_with(" 1"));
    current.filter_map(|line| Some((label(line, "plugin")?, label(line, ",hash")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::loaded;

    #[test]
    fn digests_are_read_by_plugin() {
        let line = |rest: &str| format!("apiserver_manifest_admission_config_controller_{rest}");
        let lines = [
            line(
                "automatic_reloads_total{apiserver_id_hash=\"sha256:1\",plugin=\"A\",status=\"success\"} 3",
            ),
            line(
                "last_config_info{apiserver_id_hash=\"sha256:1\",hash=\"sha256:old\",plugin=\"A\"} 0",
            ),
            line(
                "last_config_info{apiserver_id_hash=\"sha256:1\",hash=\"sha256:new\",plugin=\"A\"} 1",
            ),
            line("last_config_info{apiserver_id_hash=\"sha256:1\",hash=\"\",plugin=\"B\"} 1"),
        ];
        let found = loaded(&lines);
        assert_eq!(found.get("A").map(String::as_str), Some("sha256:new"));
        assert_eq!(found.get("B").map(String::as_str), Some(""));
    }
}
