//! Users and their groups, made by the machine's own programs.

use ringfort_model::mode::Owner;

use super::{ActError, Actor};
use crate::look::numbers;
use crate::tools::run;

impl Actor<'_> {
    /// Adds a user that logs in nowhere, and its group.
    pub(super) fn add_user(&self, name: &str, owner: Owner) -> Result<(), ActError> {
        let _one_at_a_time = self.users.lock();
        let Owner { uid, gid } = owner;
        let (uid_text, gid_text) = (uid.to_string(), gid.to_string());
        match self.numbers("etc/group", name)? {
            Some(has) if has.first() == Some(&gid) => {}
            Some(_) => return Err(taken("group", name, gid)),
            None => {
                run(self.tools, "groupadd", &["--system", "--gid", &gid_text, name])?;
            }
        }
        match self.numbers("etc/passwd", name)? {
            Some(has) if has.starts_with(&[uid, gid]) => Ok(()),
            Some(_) => Err(taken("user", name, uid)),
            None => {
                let home = ["--no-create-home", "--home-dir", "/nonexistent"];
                let shell = ["--shell", "/usr/sbin/nologin"];
                let who = ["--system", "--uid", &uid_text, "--gid", &gid_text];
                let arguments = [&who[..], &home, &shell, &[name]].concat();
                Ok(run(self.tools, "useradd", &arguments).map(|_| ())?)
            }
        }
    }

    /// Takes away a user and its group.
    pub(super) fn remove_user(&self, name: &str) -> Result<(), ActError> {
        let _one_at_a_time = self.users.lock();
        if self.numbers("etc/passwd", name)?.is_some() {
            run(self.tools, "userdel", &[name])?;
        }
        if self.numbers("etc/group", name)?.is_some() {
            run(self.tools, "groupdel", &[name])?;
        }
        Ok(())
    }

    fn numbers(&self, file: &str, name: &str) -> Result<Option<Vec<u32>>, ActError> {
        numbers(self.root, file, name).map_err(ActError::at(&self.root.own(file)))
    }
}

fn taken(what: &str, name: &str, wanted: u32) -> ActError {
    ActError::Refused(format!(
        "the {what} {name} is there with another number than {wanted}: rename it, or take it away"
    ))
}
