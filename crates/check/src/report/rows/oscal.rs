//! Rows as OSCAL assessment-results: an observation for each place of a row, and a finding for each row that decides
//! anything.

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Rows, Said, section, spots};
use crate::benchmark::{self, Judged};
use crate::report::oscal::{Told, beginning, document, filled, id, observation, prop, target};

impl Rows<'_> {
    /// Writes them as OSCAL. It wants a time: that is the beginning of the day.
    pub fn oscal(&self, day: Date) -> impl Serialize + use<> {
        let time = beginning(day);
        let (mut observations, mut findings) = (Vec::new(), Vec::new());
        for judged in self.judged {
            let seen = observed(judged, &time);
            findings.extend(finding(judged, &seen));
            observations.extend(seen.into_iter().map(|(_, observation)| observation));
        }
        let told = Told {
            title: "Recommendations of the CIS Kubernetes Benchmark",
            said: self.in_a_line(),
            profile: benchmark::NAME.to_owned(),
            controls: self.judged.iter().map(|it| benchmark::id(it.row)).collect(),
            observations: (!observations.is_empty()).then_some(observations),
            findings,
            remarks: (!self.idle.is_empty()).then(|| filled(&self.idle.join("; "))),
        };
        document(told, &time)
    }
}

/// Gives an observation for each place of a row, with its name.
fn observed(judged: &Judged, time: &str) -> Vec<(Uuid, Value)> {
    let all = spots(judged).into_iter().enumerate();
    let observed = all.map(|(number, spot)| {
        let (place, said) = (spot.place(), spot.said.in_a_line());
        let uuid = id(&format!("row {} {number} {place} {said}", benchmark::id(judged.row)));
        let mut props = vec![prop("place", &place), prop("verdict", spot.said.verdict.word())];
        props.extend(judged.objects.iter().map(|name| prop("object", name)));
        props.extend(judged.example.iter().map(|pod| prop("let-in", &pod.to_string())));
        (uuid, observation(uuid, (judged.row.title, &said), &props, time))
    });
    observed.collect()
}

fn finding(judged: &Judged, observed: &[(Uuid, Value)]) -> Option<Value> {
    let (row, name, whole) = (judged.row, benchmark::id(judged.row), Said::of_row(judged));
    let remarks = filled(&whole.in_a_line());
    let target = target(&name, whole.verdict, &remarks)?;
    let mut props = vec![prop("verdict", whole.verdict.word()), prop("section", &section(judged))];
    if !benchmark::is_beyond(row.id) {
        props.push(prop("level", &row.level.to_string()));
    }
    if let Some(by) = &judged.waived {
        props.extend([
            prop("waiver-owner", &by.owner),
            prop("waiver-reason", &by.reason),
            prop("waiver-expires", &by.expires.to_string()),
        ]);
    }
    let related: Vec<Value> =
        observed.iter().map(|(uuid, _)| json!({ "observation-uuid": uuid })).collect();
    Some(json!({
        "uuid": id(&format!("row {name} {remarks}")),
        "title": row.title,
        "description": filled(&format!("{}. {remarks}.", row.title)),
        "props": props,
        "target": target,
        "related-observations": related,
    }))
}
