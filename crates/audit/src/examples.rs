//! Abbreviated events, as pages of detections and users' own show them.
//!
//! What is left out is usual, `of` is `GROUP:RESOURCE NAMESPACE/NAME`, `at` is seconds after the first, and
//! `repeat` makes many, with their number in the place of `#` and `step` seconds between.

use serde_json::{Value, json};

/// Kinds that live beside all namespaces.
const BESIDE: [&str; 11] = [
    "apiservices",
    "certificatesigningrequests",
    "clusterrolebindings",
    "clusterroles",
    "clustertrustbundles",
    "customresourcedefinitions",
    "namespaces",
    "nodes",
    "persistentvolumes",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
];
/// The most events that one line makes.
const MOST: u64 = 10_000;

/// Writes out an abbreviated event, or many of them where it is repeated.
///
/// # Errors
/// It is no event, in one sentence.
pub fn whole(short: &str) -> Result<Vec<String>, String> {
    let read: Value = serde_json::from_str(short).map_err(|_| "it is no JSON".to_owned())?;
    if !read.is_object() {
        return Err("an event is an object".to_owned());
    }
    let number = |name: &str, otherwise: u64| match &read[name] {
        Value::Null => Ok(otherwise),
        value => {
            value.as_u64().filter(|it| *it <= MOST * 1_000).ok_or(format!("{name} is no number"))
        }
    };
    let (times, at, step) = (number("repeat", 1)?, number("at", 0)?, number("step", 0)?);
    if times > MOST {
        return Err(format!("more than {MOST} events are made of one"));
    }
    (0..times)
        .map(|number| {
            // Escapes of a body are a part of what it tests, so that bodies stay as they are written.
            let line =
                if times > 1 { short.replace('#', &number.to_string()) } else { short.to_owned() };
            one(&line, at + step * number)
        })
        .collect()
}

fn one(line: &str, at: u64) -> Result<String, String> {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "stage": "ResponseComplete", "auditID": "", "user": {"username": "eve"},
        "sourceIPs": ["10.1.2.3"], "userAgent": "kubectl/v1.37.0",
        "requestReceivedTimestamp": format!(
            "2026-01-{:02}T{:02}:{:02}:{:02}.000001Z",
            5 + at / 86_400, at / 3_600 % 24, at / 60 % 60, at % 60
        ),
        "responseStatus": {"code": 200},
    });
    let mut short: Value = serde_json::from_str(line).map_err(|_| "it is no JSON".to_owned())?;
    if let Some(of) = short["of"].as_str().map(str::to_owned) {
        event["objectRef"] = reference(&of)?;
    }
    let bodies = ["requestObject", "responseObject"].map(|key| (key, raw(line, key)));
    for (key, value) in short.as_object_mut().into_iter().flatten() {
        if !["at", "of", "repeat", "step"].contains(&key.as_str()) {
            event[key.as_str()] = value.take();
        }
    }
    let mut text = event.to_string();
    for (key, raw) in bodies {
        if let Some(raw) = raw {
            let written = event[key].to_string();
            text = text.replacen(&format!("\"{key}\":{written}"), &format!("\"{key}\":{raw}"), 1);
        }
    }
    Ok(text)
}

/// A body as it is written, escapes and all.
fn raw(line: &str, key: &str) -> Option<String> {
    let body = line.split_once(&format!("\"{key}\":"))?.1;
    let mut values = serde_json::Deserializer::from_str(body).into_iter::<Value>();
    values.next()?.ok()?;
    Some(body[..values.byte_offset()].to_owned())
}

fn reference(of: &str) -> Result<Value, String> {
    let shape = || format!("{of:?} is not GROUP:RESOURCE NAMESPACE/NAME");
    let (group, rest) = of.split_once(':').ok_or_else(shape)?;
    let (resource, place) = rest.split_once(' ').unwrap_or((rest, ""));
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    let is_beside = BESIDE.contains(&resource) || resource.ends_with("webhookconfigurations");
    let (namespace, name) = match place.split_once('/') {
        Some(both) => both,
        None if is_beside => ("", place),
        None => (place, ""),
    };
    let mut reference = json!({"resource": resource, "apiVersion": "v1"});
    for (key, value) in
        [("apiGroup", group), ("subresource", part), ("namespace", namespace), ("name", name)]
    {
        if !value.is_empty() {
            reference[key] = value.into();
        }
    }
    Ok(reference)
}
