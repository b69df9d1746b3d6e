//! Workloads do not share an account.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::PodScene;
use ringfort_model::judgement::Gap;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/account-not-shared",
    title: "A workload does not share its account with another",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("account_not_shared.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let (place, name) = pod.account();
    let name = match name {
        Field::Unreadable => return sheet.unread(&place),
        Field::Absent | Field::Is("" | "default") => {
            return sheet.spare("it names no account; another guideline asks for one");
        }
        Field::Is(name) => name,
    };
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    match (objects.users(namespace, name), objects.all_pods(namespace)) {
        ((2.., _), _) => {
            sheet.fail(&place, Remedy::Do("give each workload an account of its own"));
        }
        (_, Err(gap)) => sheet.missing(&place, gap),
        ((_, 2..), Ok(())) => sheet.missing(
            &place,
            Gap {
                said: "a controller that was not given made another pod of this account".to_owned(),
                closes: "give what made that pod, or give each workload an account of its own"
                    .to_owned(),
            },
        ),
        (_, Ok(())) => sheet.pass(&place),
    }
}
