//! Which canaries were done through each server, and what kept the others from it.

use std::collections::BTreeSet;

use ringfort_model::act::{Act, Ask, Next, Seen};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::identity;
use ringfort_model::name::NodeName;

use super::tactics::{Answer, CANARIES, Canary, by_keeper};
use crate::proof::{AGAIN, gap, words};

/// What was not seen, and the policies that stood in the way.
#[derive(Default)]
pub(super) struct Unseen {
    /// Each with where.
    notes: Vec<(String, Vec<String>)>,
    policies: BTreeSet<String>,
}

/// What was done, and what came of it.
type Came = [(Act, Seen)];

impl Unseen {
    /// Notes what was not seen at a place.
    pub(super) fn note(&mut self, place: &str, said: String) {
        match self.notes.iter_mut().find(|(known, _)| *known == said) {
            Some((_, places)) => places.push(place.to_owned()),
            None => self.notes.push((said, vec![place.to_owned()])),
        }
    }

    /// Gives the canaries that were done through a server, under this name, and notes why others were not: by what
    /// came of writing what has to be there, and of them.
    pub(super) fn done(
        &mut self,
        server: &NodeName,
        name: &str,
        written: &Came,
        tried: &Came,
    ) -> Vec<&'static Canary> {
        let through = |(act, _): &&(Act, Seen)| act.node() == Some(server);
        for (act, seen) in written.iter().filter(through) {
            if !matches!(seen, Seen::Object(_)) {
                let (kind, why) = (made(act).kind, self.why(seen, name));
                self.note(server.as_str(), format!("no {kind} was written for them: {why}"));
            }
        }
        let mut done = Vec::new();
        for ((act, seen), canary) in tried.iter().filter(through).zip(&CANARIES) {
            let why = match was_there(written, act) {
                true => self.obstacle(canary, (act, seen), name),
                false => Some("there was none".to_owned()),
            };
            match why {
                None => done.push(canary),
                Some(why) => {
                    let Canary { what, tactic, .. } = canary;
                    self.note(server.as_str(), format!("nobody {what} ({tactic}): {why}"));
                }
            }
        }
        done
    }

    /// Says what kept a canary from being done; nothing where it was. What a policy made of it on the way is another
    /// thing, that no detection has to find.
    fn obstacle(&mut self, canary: &Canary, came: (&Act, &Seen), name: &str) -> Option<String> {
        match came {
            // Who lacks a right is refused before any policy is asked.
            (_, Seen::Refused { status: 403, .. }) if canary.answer == Answer::Forbidden => None,
            (_, seen @ (Seen::Failed { .. } | Seen::Refused { .. })) => Some(self.why(seen, name)),
            (Act::Ask { ask: Ask::Create(sent), .. }, Seen::Object(answered)) => {
                let at = canary.stays.filter(|at| sent.pointer(at) != answered.pointer(at))?;
                let field = at.trim_start_matches('/').replace('/', ".");
                self.policies.insert(format!("what changes {field}"));
                Some(match answered.pointer(at).filter(|value| !value.is_null()) {
                    Some(value) => format!("its {field} was made {value} on the way"),
                    None => format!("its {field} was taken away on the way"),
                })
            }
            _ if canary.answer == Answer::Forbidden => Some("the server let it happen".to_owned()),
            _ => None,
        }
    }

    /// Says why something was not done, in words that are the same for every server.
    fn why(&mut self, seen: &Seen, name: &str) -> String {
        if let Seen::Refused { message, .. } = seen {
            self.policies.extend(policy(message).map(plain));
        }
        plain(&words(seen).replace(name, "…"))
    }

    /// Ends the proof as unknown if there is anything that was not seen, and names all of it.
    pub(super) fn close(self) -> Result<(), Next> {
        if self.notes.is_empty() {
            return Ok(());
        }
        let notes =
            self.notes.iter().map(|(said, places)| format!("{}: {said}", places.join(", ")));
        let notes: Vec<String> = notes.collect();
        let closes = match self.policies.is_empty() {
            true => AGAIN.to_owned(),
            false => {
                let policies: Vec<String> = self.policies.into_iter().collect();
                format!(
                    "let namespaces {}* past the policies that stand in the way ({}): {AGAIN}",
                    identity::CANARIES,
                    policies.join(", "),
                )
            }
        };
        Err(gap(format!("not shown: {}", notes.join("; ")), closes))
    }
}

/// Takes away again what would stay open, or wait for its time, where the proofs are interrupted. Other canaries only
/// lie there until the namespace goes.
pub(super) fn undo((act, seen): &(Act, Seen)) -> Option<Act> {
    let (Act::Ask { server, .. }, Seen::Object(_)) = (act, seen) else { return None };
    let key = made(act);
    let stays = ["Service", "CronJob"].contains(&key.kind.as_str());
    stays.then(|| by_keeper(server, Ask::Delete(key)))
}

/// Names what an act makes; what makes nothing has no name.
fn made(act: &Act) -> ObjectKey {
    match act {
        Act::Ask { ask: Ask::Create(object), .. } => ObjectKey::of(object),
        _ => ObjectKey::of(&serde_json::Value::Null),
    }
}

/// Whether what an act takes away was written before: to delete what is not there is answered as well.
fn was_there(written: &Came, act: &Act) -> bool {
    let Act::Ask { ask: Ask::Delete(key), .. } = act else { return true };
    written.iter().any(|(act, seen)| matches!(seen, Seen::Object(_)) && made(act) == *key)
}

/// How servers name whose policy refused something: before the name, and behind it.
const NAMED: [(&str, char); 2] = [("admission webhook \"", '"'), ("AdmissionPolicy '", '\'')];

/// Names the policy by whose words a server refused.
fn policy(message: &str) -> Option<&str> {
    NAMED.iter().find_map(|(before, end)| message.split_once(before)?.1.split(*end).next())
}

/// As many characters of what a server or a policy says are told.
const MOST: usize = 300;

/// Makes one line of somebody else's words.
fn plain(text: &str) -> String {
    let is_apart = |letter: char| letter.is_whitespace() || letter.is_control();
    let words: Vec<&str> = text.split(is_apart).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::{plain, policy};

    #[test]
    fn a_policy_is_named_as_servers_name_it() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(policy(message), expected, "{message}");
        };
        check(
            "admission webhook \"validation.gatekeeper.sh\" denied the request: [ports] no",
            Some("validation.gatekeeper.sh"),
        );
        check(
            "services \"x\" is forbidden: ValidatingAdmissionPolicy 'ports' with binding 'all' denied request: no",
            Some("ports"),
        );
        // Nobody's policy.
        check("services is forbidden: User \"a\" cannot create resource \"services\"", None);
        check("Internal error occurred: failed calling webhook \"x\": no answer", None);
    }

    #[test]
    fn words_of_others_stay_on_one_line() {
        assert_eq!(plain(" no\r\n\n  ports:\u{1b}[31m"), "no ports: [31m");
        assert_eq!(plain(&"no ".repeat(300)).chars().count(), 300);
    }
}
