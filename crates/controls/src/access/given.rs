//! What roles and bindings give that are there, whoever made them and however: judged as guards judge those that are
//! made.

use ringfort_model::act::{Ask, Next, Seen};
use ringfort_model::identity::KEEPER;
use serde_json::Value;

use super::system_roles::is_kept;
use crate::proof::{AGAIN, Course, Scene, fail, gap, words};

/// Judges all roles or all bindings that are there, and gives how many there are.
pub(super) fn none_gives(
    course: &mut Course<'_>,
    scene: &Scene,
    (ask, what): (Ask, &str),
    gives: fn(&Value) -> Option<String>,
) -> Result<usize, Next> {
    let seen = course.step(vec![scene.ask(ask)])?;
    let [(_, Seen::Objects(all))] = seen else {
        let said = seen.first().map_or_else(String::new, |(_, seen)| words(seen));
        return Err(gap(format!("{what} were not listed: {said}"), AGAIN));
    };
    // Every API server makes some at its start.
    if !all.iter().any(|one| is_kept(text(one, "/metadata/name"))) {
        return Err(gap(format!("none of Kubernetes' own {what} is listed at all"), AGAIN));
    }
    // What adds up others gives what they do: they are named before it.
    let (sums, others): (Vec<&Value>, Vec<&Value>) =
        all.iter().partition(|one| one["aggregationRule"].is_object());
    for one in others.into_iter().chain(sums) {
        if let Some(given) = gives(one) {
            let (kind, name) = (text(one, "/kind"), text(one, "/metadata/name"));
            let within = match text(one, "/metadata/namespace") {
                "" => String::new(),
                namespace => format!(" in {namespace}"),
            };
            return Err(fail(format!("{kind} {name}{within} {given}"), way_out(one)));
        }
    }
    Ok(all.len())
}

/// Says how to be rid of it, and where whoever made it stands. A guard keeps some names from everybody.
fn way_out(one: &Value) -> String {
    let (kind, name) = (text(one, "/kind").to_lowercase(), text(one, "/metadata/name"));
    let flag = match text(one, "/metadata/namespace") {
        "" => String::new(),
        namespace => format!(" -n {namespace}"),
    };
    let found = format!("find out who made it: ringfort audit search resource={kind}s name={name}");
    if !is_kept(name) {
        return format!("kubectl delete {kind} {name}{flag}, and {found}");
    }
    format!(
        "access/system-roles keeps {name} from all but {KEEPER}: with ringfort kubeconfig --break-glass, kubectl \
         delete {kind} {name}{flag} --as={KEEPER} --as-group=system:masters (edit, where it is Kubernetes' or \
         ringfort's own and somebody added to it), or waive access/system-roles until that is done; and {found}"
    )
}

/// The text at a place, or none.
pub(super) fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::way_out;

    #[test]
    fn a_way_out_names_what_it_is_about_and_gets_past_the_guard_that_keeps_it() {
        let of = |kind: &str, metadata: serde_json::Value| {
            way_out(&json!({"kind": kind, "metadata": metadata}))
        };
        let own = of("RoleBinding", json!({"name": "eve", "namespace": "team"}));
        assert!(own.starts_with("kubectl delete rolebinding eve -n team, and "), "{own}");
        assert!(own.ends_with("ringfort audit search resource=rolebindings name=eve"), "{own}");
        let kept = of("ClusterRole", json!({"name": "system:evil"}));
        for part in [
            "--break-glass",
            "kubectl delete clusterrole system:evil --as=ringfort:keeper --as-group=system:masters",
            "waive access/system-roles",
            "ringfort audit search resource=clusterroles name=system:evil",
        ] {
            assert!(kept.contains(part), "{part}: {kept}");
        }
    }
}
