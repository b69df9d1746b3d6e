//! Somebody approved a certificate that he asked for himself.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/own-request-approved",
    title: "Somebody approved a certificate that he asked for himself",
    severity: Severity::High,
    because: "nobody else looked at it, and a certificate cannot be taken back",
    attack: &["T1098"],
    needs: &[others(
        &["update", "patch"],
        Of::Resources(&[("certificates.k8s.io", "certificatesigningrequests/approval")]),
        Level::RequestResponse,
    )],
    doc: include_str!("own_request_approved.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let (event, object) = (scene.event, scene.object()?);
    // The server wrote who asked; he may come back as himself, or as somebody else.
    let asked = object.along(&["spec", "username"]).text();
    let is_own =
        !asked.is_empty() && [&*event.user.username, &*event.actor().username].contains(&asked);
    let conditions = object.along(&["status", "conditions"]).items();
    let is_approved = conditions.iter().any(|it| it.at("type").text() == "Approved");
    (is_own && is_approved && !is_of_a_run(event)).then(|| "the request is his own".to_owned())
}
