//! What agents write runs on a kernel of its own.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;
use ringfort_model::judgement::Gap;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/agents-are-sandboxed",
    title: "A sandbox of an agent runs by a runtime that keeps it off the kernel of its node",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/containers/runtime-class/")],
    doc: include_str!("agents_are_sandboxed.md"),
    judge: Judge::Object(&["Sandbox", "SandboxTemplate"], judge),
};

fn judge(sandbox: &Scene<'_>, sheet: &mut Sheet) {
    let spec = sandbox.root.at("spec");
    let template = spec.at("podTemplate");
    let pod = template.at("spec");
    let class = pod.at("runtimeClassName");
    match class.word() {
        Field::Unreadable => sheet.unread(&class),
        Field::Absent | Field::Is("") => sheet.fail(&class, INSTEAD),
        Field::Is(name) if is_of(name, &SHARING) => sheet.fail(&class, INSTEAD),
        Field::Is(name) if is_of(name, &APART) => sheet.pass(&class),
        Field::Is(name) => sheet.missing(
            &class,
            Gap {
                said: format!("by what runtime the class {name} runs is not known"),
                closes: "name a class by its runtime: gvisor or kata".to_owned(),
            },
        ),
    }
}

/// Whether a class is called by one of these runtimes, alone or with more behind a dash.
fn is_of(name: &str, runtimes: &[&str]) -> bool {
    runtimes.contains(&name.split('-').next().unwrap_or_default())
}

/// Runtimes whose pods have a kernel of their own, or one that is emulated for them.
const APART: [&str; 5] = ["firecracker", "gvisor", "kata", "kuasar", "runsc"];

/// Runtimes whose pods call the kernel of their node.
const SHARING: [&str; 4] = ["crun", "nvidia", "runc", "youki"];

const INSTEAD: Remedy = Remedy::Do("name the class of gVisor or Kata Containers");
