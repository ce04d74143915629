//! Which users of a machine may read a file: the rule for files that contain secrets.

#[cfg(feature = "files")]
mod files;

use std::fmt;

#[cfg(feature = "files")]
pub use self::files::{exposed, read};

/// The user that runs a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// The effective user id.
    pub user: u32,
    /// The effective group id, and the supplementary ones.
    pub groups: Vec<u32>,
}

/// Unix permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The permission bits.
    pub mode: u32,
    /// The user who owns it.
    pub user: u32,
    /// The group that it belongs to.
    pub group: u32,
}

/// Why others can read or change a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposed {
    /// Any user of the machine can.
    ToAll {
        /// The permission bits.
        mode: u32,
    },
    /// A group of users can.
    ToGroup {
        /// The permission bits.
        mode: u32,
        /// The group.
        group: u32,
    },
    /// It belongs to another user, who can also change it.
    ToOwner {
        /// The owner.
        user: u32,
    },
}

impl Exposed {
    /// Whether others could have written the file, so that it must not vouch for itself.
    pub fn is_changed_by_others(self) -> bool {
        match self {
            Self::ToAll { mode } | Self::ToGroup { mode, .. } => mode & 0o022 != 0,
            Self::ToOwner { .. } => true,
        }
    }

    /// Whether a file must not be read at all. A file that was `named` explicitly is trusted even
    /// if another user owns it; one that was found in a folder is not.
    pub fn is_foreign(self, named: bool) -> bool {
        self.is_changed_by_all() || (!named && matches!(self, Self::ToOwner { .. }))
    }

    /// Whether any user of the machine could have written the file.
    fn is_changed_by_all(self) -> bool {
        matches!(self, Self::ToAll { mode } if mode & 0o002 != 0)
    }
}

impl Access {
    /// Who else can read the file; `None` if it is private to `reader` and root.
    ///
    /// A root file may be readable by one of the process's groups: services in `/etc` and in
    /// Kubernetes get their secrets this way, and could not read them otherwise.
    pub fn exposed_to_others(self, reader: &Reader) -> Option<Exposed> {
        const ROOT: u32 = 0;
        let Self { mode, user, group } = self;
        let mode = mode & 0o7777;
        if mode & 0o002 != 0 {
            return Some(Exposed::ToAll { mode });
        }
        if user != reader.user && user != ROOT {
            return Some(Exposed::ToOwner { user });
        }
        if mode & 0o007 != 0 {
            return Some(Exposed::ToAll { mode });
        }
        // systemd provides credentials as files of root and root's group, with an ACL for the
        // reader.
        let is_of_group = group == ROOT || reader.groups.contains(&group);
        let is_given = user == ROOT && mode & 0o030 == 0 && is_of_group;
        if mode & 0o070 != 0 && !is_given {
            return Some(Exposed::ToGroup { mode, group });
        }
        None
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToAll { mode } => {
                let what = if self.is_changed_by_all() { "change" } else { "read" };
                write!(f, "all users of this machine can {what} it (mode {mode:04o})")
            }
            Self::ToGroup { mode, group } => {
                write!(f, "the users of group {group} can read it (mode {mode:04o})")
            }
            Self::ToOwner { user } => write!(f, "it belongs to another user ({user})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_private_if_it_is_the_users_or_roots_and_not_readable_by_others() {
        let reader = Reader { user: 1000, groups: vec![1000, 2000] };
        let exposed = |user, group, mode| Access { mode, user, group }.exposed_to_others(&reader);
        assert_eq!(exposed(1000, 1000, 0o100_600), None);
        assert_eq!(exposed(1000, 1000, 0o400), None);
        assert_eq!(exposed(0, 0, 0o600), None);
        assert_eq!(exposed(1000, 1000, 0o644), Some(Exposed::ToAll { mode: 0o644 }));
        assert_eq!(exposed(1000, 1000, 0o602), Some(Exposed::ToAll { mode: 0o602 }));
        let group = |mode, group| Some(Exposed::ToGroup { mode, group });
        assert_eq!(
            exposed(1000, 1000, 0o640),
            group(0o640, 1000),
            "the group may have other members"
        );
        assert_eq!(exposed(7, 1000, 0o600), Some(Exposed::ToOwner { user: 7 }));
        // As Kubernetes mounts secrets with `fsGroup`, and packages install files in /etc.
        assert_eq!(exposed(0, 2000, 0o440), None);
        assert_eq!(exposed(0, 1000, 0o640), None);
        // As systemd provides credentials.
        assert_eq!(exposed(0, 0, 0o440), None);
        assert_eq!(exposed(0, 2000, 0o460), group(0o460, 2000), "the group may change it");
        assert_eq!(exposed(0, 3000, 0o440), group(0o440, 3000));
        assert_eq!(exposed(0, 2000, 0o444), Some(Exposed::ToAll { mode: 0o444 }));
        let changed = [exposed(1000, 1000, 0o644), exposed(1000, 1000, 0o646), group(0o660, 7)];
        assert_eq!(changed.map(|e| e.unwrap().is_changed_by_others()), [false, true, true]);
        assert_eq!(changed.map(|e| e.unwrap().is_foreign(false)), [false, true, false]);
        assert!(exposed(1000, 1000, 0o664).unwrap().is_changed_by_others());
        assert!(exposed(7, 7, 0o600).unwrap().is_changed_by_others());
        assert!(exposed(7, 7, 0o666).unwrap().is_foreign(true));
        let theirs = exposed(7, 7, 0o644).unwrap();
        assert!(theirs.is_foreign(false) && !theirs.is_foreign(true));
        let root = Reader { user: 0, groups: vec![0] };
        assert_eq!(Access { mode: 0o640, user: 0, group: 0 }.exposed_to_others(&root), None);
    }
}
