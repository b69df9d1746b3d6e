//! Volumes are encrypted where their driver can.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "data/volumes-are-encrypted",
    title: "A class of storage asks its driver to encrypt",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/storage/storage-classes/")],
    doc: include_str!("volumes_are_encrypted.md"),
    judge: Judge::Object(&["StorageClass"], judge),
};

fn judge(class: &Scene<'_>, sheet: &mut Sheet) {
    let provisioner = class.root.at("provisioner");
    let key = match provisioner.word() {
        Field::Is(driver) => DRIVERS.iter().find(|(name, _)| driver.ends_with(name)),
        Field::Absent | Field::Unreadable => return sheet.unread(&provisioner),
    };
    let Some((_, key)) = key else {
        return sheet.spare("its driver encrypts always, or is told in another way");
    };
    let parameters = class.root.at("parameters");
    let encrypted = parameters.entry(key);
    sheet.expect(
        &encrypted,
        encrypted.word(),
        |it| it == Some("true"),
        Remedy::Do("write \"true\""),
    );
}

/// Drivers that encrypt where a parameter says so, and that parameter. Operators put a name of their own before
/// that of Ceph's.
const DRIVERS: [(&str, &str); 6] = [
    ("cephfs.csi.ceph.com", "encrypted"),
    ("driver.longhorn.io", "encrypted"),
    ("ebs.csi.aws.com", "encrypted"),
    ("kubernetes.io/aws-ebs", "encrypted"),
    ("pxd.portworx.com", "secure"),
    ("rbd.csi.ceph.com", "encrypted"),
];
