//! Rights that rules of roles give.

use serde_json::Value;

use crate::fault::Remedy;
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::texts::Texts;

/// Rights: any of these verbs on any of these resources.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) groups: &'static [&'static str],
    pub(crate) resources: &'static [&'static str],
    pub(crate) verbs: &'static [&'static str],
    pub(crate) named: Named,
}

/// Whether a rule that names the objects it is about counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Named {
    /// It does as well.
    Counts,
    /// It does not: who may touch one object may not touch others.
    Spared,
}

/// What can be said without knowing all: `None` is that it depends on what cannot be read.
type Answer = Option<bool>;

/// Looks for rights in the rules of a role, which stand at its `rules`.
pub(crate) fn judge(grants: &[Grant], role: &Place<'_>, sheet: &mut Sheet) {
    let rules = role.at("rules");
    let is_gathering = !matches!(role.at("aggregationRule").value(), Field::Absent);
    // Whatever is written there is written over. What a server holds is what was gathered, of whatever roles.
    let is_empty = role.texts() == Texts::Written || rules.items().next().is_none();
    if is_gathering && is_empty {
        return sheet
            .spare("its rights are those of the roles that it gathers, judged where they stand");
    }
    let remedy = if is_gathering { GATHER_NOT } else { LEAVE_OUT };
    let mut is_clean = true;
    for rule in rules.items() {
        for grant in grants {
            is_clean &= judge_rule(grant, &rule, remedy, sheet);
        }
    }
    if is_clean {
        sheet.pass(&rules);
    }
}

/// Every right there is.
pub(crate) const EVERYTHING: Grant =
    Grant { groups: &[], resources: &[ANYTHING], verbs: &[ANYTHING], named: Named::Spared };
/// No resource and no verb is called so: only a wildcard is about it.
const ANYTHING: &str = "\u{0}";

/// Whether rules of a role that is served give one of the rights; nothing where that cannot be read.
pub(crate) fn gives(grants: &[Grant], rules: &Value) -> Answer {
    let rules = match rules {
        Value::Null => return Some(false),
        Value::Array(rules) => rules,
        _ => return None,
    };
    let mut answer = Some(false);
    for (grant, rule) in grants.iter().flat_map(|grant| rules.iter().map(move |rule| (grant, rule)))
    {
        let is_named = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
        if is_named && grant.named == Named::Spared {
            continue;
        }
        let parts = [
            some(&rule["apiGroups"], |it| it == "*" || grant.groups.contains(&it)),
            some(&rule["resources"], |it| grant.resources.iter().any(|of| is_of(it, of))),
            some(&rule["verbs"], |it| it == "*" || grant.verbs.contains(&it)),
        ];
        match (parts.contains(&Some(false)), parts.contains(&None)) {
            (true, _) => {}
            (false, true) => answer = None,
            (false, false) => return Some(true),
        }
    }
    answer
}

/// Whether any word of a list is as wanted.
fn some(list: &Value, is_wanted: impl Fn(&str) -> bool) -> Answer {
    let words = match list {
        Value::Null => return Some(false),
        Value::Array(words) => words,
        _ => return None,
    };
    match words.iter().any(|word| word.as_str().is_some_and(&is_wanted)) {
        true => Some(true),
        false => words.iter().all(Value::is_string).then_some(false),
    }
}

/// Says whether a rule gives none of the rights, and writes down if it may.
fn judge_rule(grant: &Grant, rule: &Place<'_>, remedy: Remedy, sheet: &mut Sheet) -> bool {
    let names = rule.at("resourceNames");
    let is_named = matches!(names.list(), Field::Is(names) if !names.is_empty());
    if is_named && grant.named == Named::Spared {
        return true;
    }
    let (groups, resources) = (rule.at("apiGroups"), rule.at("resources"));
    let group = any(&groups, |group| {
        let is_mistaken = MISTAKEN.contains(&group) && grant.groups.contains(&"");
        group == "*" || group.is_empty() || is_mistaken || grant.groups.contains(&group)
    });
    let resource = any(&resources, |resource| grant.resources.iter().any(|it| is_of(resource, it)));
    if group == Some(false) || resource == Some(false) {
        return true;
    }
    let mut gives_none = true;
    for verb in rule.at("verbs").items() {
        let is_given = match verb.word() {
            Field::Is(word) => Some(word == "*" || grant.verbs.contains(&word)),
            Field::Absent | Field::Unreadable => None,
        };
        match (is_given, group, resource) {
            (Some(false), ..) => continue,
            (Some(true), Some(true), Some(true)) => sheet.fail(&verb, remedy),
            (None, ..) => sheet.unread(&verb),
            (_, None, _) => sheet.unread(&groups),
            (..) => sheet.unread(&resources),
        }
        gives_none = false;
    }
    gives_none
}

/// Groups that are written for resources of the oldest one, whose name is empty. None has a resource of its names.
const MISTAKEN: [&str; 3] = ["apps", "batch", "extensions"];

const LEAVE_OUT: Remedy = Remedy::Do("leave the verb or the resource out, or name the objects");
const GATHER_NOT: Remedy =
    Remedy::Do("gather no role that gives this, or leave the verb or the resource out there");

/// Whether any item of a list is as wanted.
fn any(list: &Place<'_>, is_wanted: impl Fn(&str) -> bool) -> Answer {
    let mut answer = match list.list() {
        Field::Unreadable => None,
        Field::Absent | Field::Is(_) => Some(false),
    };
    for item in list.items() {
        match item.word() {
            Field::Is(word) if is_wanted(word) => return Some(true),
            Field::Is(_) => {}
            Field::Absent | Field::Unreadable => answer = None,
        }
    }
    answer
}

/// Whether a rule's resource means another.
///
/// Who writes the wrong group for a resource, `""` for one of `apps`, its singular, or `pods/*` for all that is
/// below pods, means the right one: the rule gives nothing today and everything once it is put right. So all count.
fn is_of(written: &str, resource: &str) -> bool {
    let (whole, sub) = match resource.split_once('/') {
        Some((whole, sub)) => (whole, Some(sub)),
        None => (resource, None),
    };
    written == "*"
        || written == resource
        || sub.is_some_and(|sub| written.strip_prefix("*/") == Some(sub))
        || sub.is_some() && written.strip_suffix("/*") == Some(whole)
        || is_singular(written, resource)
}

fn is_singular(written: &str, plural: &str) -> bool {
    match plural.strip_suffix("ies") {
        Some(stem) => written.strip_suffix('y') == Some(stem),
        None => plural.strip_suffix('s') == Some(written),
    }
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn resources_are_meant_by_name_by_star_and_by_their_singular() {
        for (written, resource, expected) in [
            ("pods", "pods", true),
            ("pod", "pods", true),
            ("networkpolicy", "networkpolicies", true),
            ("*", "pods/exec", true),
            ("*/exec", "pods/exec", true),
            ("*/exec", "pods", false),
            ("pods", "pods/exec", false),
            ("pods/*", "pods/exec", true),
            ("pods/*", "pods", false),
            ("pods/*", "nodes/proxy", false),
        ] {
            assert_eq!(is_of(written, resource), expected, "{written} {resource}");
        }
    }
}
