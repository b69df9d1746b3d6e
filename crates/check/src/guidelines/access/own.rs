//! Whether a binding gives a role of Kubernetes' own, which a name alone does not say.

use ringfort_model::judgement::Gap;

use crate::place::{Field, Place};
use crate::upstream;
use crate::world::{Namespace, Objects};

/// Whether a binding gives the role that API servers make under the name that it says. Where all roles were given and
/// it is not among them, it is as they make it.
///
/// # Errors
/// The role is not known: what would tell of it.
pub(super) fn gives_own(objects: &Objects<'_>, given: &Place<'_>) -> Result<bool, Gap> {
    let (kind, name) = (given.at("kind"), given.at("name"));
    let (Field::Is(kind), Field::Is(name)) = (kind.word(), name.word()) else {
        return Err(Gap {
            said: "which role it gives cannot be read".to_owned(),
            closes: "write the kind and the name of the role".to_owned(),
        });
    };
    if kind != "ClusterRole" {
        return Ok(false);
    }
    let Some((_, role)) = objects.find("ClusterRole", Namespace::Beside, name) else {
        return objects.complete("ClusterRole", Namespace::Beside).map(|()| true);
    };
    match role.texts.has_template(role.value) {
        true => Err(Gap {
            said: format!("what {name} gives is still to be filled in"),
            closes: "judge what the template makes".to_owned(),
        }),
        false => Ok(upstream::is_own(role.value)),
    }
}
