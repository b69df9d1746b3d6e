//! What a judge sees: an object among the others, its pod if it makes any, and that pod's containers.

use ringfort_policy::Labels;

use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::pods::Subject;
use crate::world::{Object, Objects};

/// An object among the others.
pub(crate) struct Scene<'s> {
    pub(crate) objects: &'s Objects<'s>,
    pub(crate) object: &'s Object<'s>,
    pub(crate) root: &'s Place<'s>,
    pub(crate) metadata: &'s Place<'s>,
}

/// The pod of an object, or the template of its pods.
pub(crate) struct PodScene<'s> {
    pub(crate) whole: Scene<'s>,
    pub(crate) metadata: &'s Place<'s>,
    pub(crate) annotations: &'s Place<'s>,
    pub(crate) spec: &'s Place<'s>,
    /// What the pod says of its security for all of its containers.
    pub(crate) security: &'s Place<'s>,
    /// The same pod as the Pod Security Standards see it.
    pub(crate) subject: &'s Subject<'s>,
}

/// A container.
pub(crate) struct Container<'s> {
    pub(crate) stage: Stage,
    pub(crate) place: &'s Place<'s>,
    /// What it says of its own security.
    pub(crate) security: &'s Place<'s>,
}

/// When a container runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Before the others, to an end.
    First,
    /// As long as the pod.
    Always,
    /// When somebody looks for a fault.
    Debugging,
}

impl Scene<'_> {
    /// Looks at the pod of the object, or at the template of its pods, if it makes any.
    pub(crate) fn with_template<R>(&self, look: impl FnOnce(&Place<'_>) -> R) -> Option<R> {
        let template = self.object.kind.template?;
        let pointer = format!("{}{template}", self.object.pointer);
        let value = self.object.value.pointer(template);
        Some(look(&Place::of(&pointer, value, self.object.texts)))
    }
}

impl<'s> PodScene<'s> {
    /// Visits every container.
    pub(crate) fn each_container(&self, mut visit: impl FnMut(&Container<'_>)) {
        for (list, stage) in LISTS {
            self.spec.at(list).items().for_each(|place| {
                let stays = place.at("restartPolicy").text() == Field::Is("Always");
                let stage = if stage == Stage::First && stays { Stage::Always } else { stage };
                visit(&Container { stage, place: &place, security: &place.at("securityContext") });
            });
        }
    }

    /// Visits the name of every image: those of containers, and those that are mounted as volumes.
    pub(crate) fn each_image(&self, mut visit: impl FnMut(&Place<'_>)) {
        self.each_container(|container| visit(&container.place.at("image")));
        self.each_image_volume(|volume| visit(&volume.at("reference")));
    }

    /// Visits every volume that is an image.
    pub(crate) fn each_image_volume(&self, mut visit: impl FnMut(&Place<'_>)) {
        for volume in self.spec.at("volumes").items() {
            let image = volume.at("image");
            if image.value() != Field::Absent {
                visit(&image);
            }
        }
    }

    /// Gives the account that it says it runs as, and where.
    pub(crate) fn account(&self) -> (Place<'s>, Field<&'s str>) {
        let (now, before) = (self.spec.at("serviceAccountName"), self.spec.at("serviceAccount"));
        match (now.word(), before.word()) {
            (Field::Absent, Field::Absent) => (now, Field::Absent),
            (Field::Absent, name) => (before, name),
            (name, _) => (now, name),
        }
    }

    /// Gives its labels; nothing where one of them cannot be read.
    pub(crate) fn labels(&self) -> Option<Labels> {
        let labels = self.metadata.at("labels");
        if labels.object() == Field::Unreadable {
            return None;
        }
        let entry = |(key, value): (&str, Place<'_>)| match value.word() {
            Field::Is(word) if !labels.texts().is_template(key) => {
                Some((key.to_owned(), word.to_owned()))
            }
            _ => None,
        };
        labels.fields().map(entry).collect()
    }

    /// Whether it says that it is for Windows.
    pub(crate) fn is_for_windows(&self) -> bool {
        self.spec.at("os").at("name").word() == Field::Is("windows")
    }

    /// Whether its workload keeps several of it; where it does not, or that cannot be read, the sheet says so.
    pub(crate) fn is_one_of_several(&self, sheet: &mut Sheet) -> bool {
        let spec = self.whole.root.at("spec");
        let replicas = spec.at("replicas");
        match (self.whole.object.kind.name, replicas.integer().or(1)) {
            ("Deployment" | "ReplicaSet" | "StatefulSet", Field::Is(2..)) => return true,
            ("Deployment" | "ReplicaSet" | "StatefulSet", Field::Unreadable) => {
                sheet.unread(&replicas);
            }
            _ => sheet.spare("it is not a workload of several pods"),
        }
        false
    }

    /// Whether what it makes is meant to come to an end.
    pub(crate) fn ends(&self) -> bool {
        matches!(self.whole.object.kind.name, "Job" | "CronJob")
    }
}

const LISTS: [(&str, Stage); 3] = [
    ("initContainers", Stage::First),
    ("containers", Stage::Always),
    ("ephemeralContainers", Stage::Debugging),
];
