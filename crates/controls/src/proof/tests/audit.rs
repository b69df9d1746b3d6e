//! What a log holds of the canaries.

use ringfort_model::act::{Act, Seen};
use ringfort_model::judgement::Decided;
use serde_json::{Value, json};

use super::{case, judge};

/// What a log holds of the canaries whose names begin so, each as `kind verb resource level status`.
pub(super) const LOGGED: [&str; 8] = [
    "secret get secrets Metadata 200",
    "token create serviceaccounts/token Metadata 404",
    "exec get pods/exec Metadata 404",
    "role create roles RequestResponse 201",
    "many deletecollection pods Metadata 200",
    "anonymous get configmaps Metadata 401",
    "refused get configmaps Metadata 403",
    "node get secrets Metadata 403",
];

pub(super) fn events(holding: &str) -> Vec<Value> {
    let event = |line: &str| {
        let [kind, verb, resource, level, status] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let mut event = json!({
            "level": level, "verb": verb, "requestURI": format!("/things/{holding}{kind}"),
            "objectRef": {"resource": resource, "name": format!("{holding}{kind}")},
            "responseStatus": {"code": status.parse::<u16>().unwrap()},
        });
        if !part.is_empty() {
            event["objectRef"]["subresource"] = part.into();
        }
        if level == "RequestResponse" {
            event["requestObject"] = json!({"kind": "Thing"});
        }
        if verb == "deletecollection" {
            event["objectRef"]["name"] = Value::Null;
        }
        event
    };
    LOGGED.iter().map(|line| event(line)).collect()
}

pub(super) fn lines(events: &[Value]) -> Seen {
    Seen::Lines(events.iter().map(Value::to_string).collect())
}

/// Each kind of request has to be there, at its own level and with no more of it than that.
#[test]
fn each_kind_of_request_is_missed_where_it_is_not_logged() {
    for place in 0..LOGGED.len() {
        let spoil = |change: fn(&mut Value)| {
            let judgement = judge(&case("audit/policy-is-set"), |act| match act {
                Act::ReadAudit { server, holding } if server.as_str() == "cp3" => {
                    let mut events = events(holding);
                    change(&mut events[place]);
                    Some(lines(&events))
                }
                _ => None,
            });
            matches!(judgement, Ok(Decided::Fail(_)))
        };
        assert!(spoil(|event| *event = json!({})), "{}", LOGGED[place]);
        assert!(spoil(|event| event["level"] = "None".into()), "{}", LOGGED[place]);
        assert!(spoil(|event| event["verb"] = "list".into()), "{}", LOGGED[place]);
        let is_bare = LOGGED[place].contains(" Metadata ");
        let with_body = spoil(|event| event["responseObject"] = json!({"kind": "Secret"}));
        assert_eq!(with_body, is_bare, "{}", LOGGED[place]);
    }
}
