//! The API's own validation refuses a privileged container, whoever asks.

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use crate::proof::Scene;
use crate::proof::pod::{restricted, set};
use crate::proof::tries::{By, Try, all_refused};

/// Words of the validation itself.
const VALIDATION: By = By::Validation("disallowed by cluster policy");

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let good = restricted(scene, "canary-privileged");
    let mut bad = good.clone();
    let context = "/spec/containers/0/securityContext";
    set(&mut bad, &format!("{context}/privileged"), true.into());
    set(&mut bad, &format!("{context}/allowPrivilegeEscalation"), true.into());
    let tries = [Speaker::Keeper, Speaker::Unbound, Speaker::Admin]
        .map(|speaker| Try::create("run a privileged pod", speaker, bad.clone(), VALIDATION));
    let granted = [(Speaker::Keeper, Ask::WouldCreate(good))];
    let said = "a privileged container is refused by the API's own validation, whoever asks";
    all_refused(scene, transcript, &granted, &tries, said)
}
