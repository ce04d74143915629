//! Mails as files, in the format of mail servers: a Maildir.

use std::{io, path::PathBuf, sync::Arc};

use fastjob_executor::TaskId;

/// A folder of mails. Its clones are the same folder.
#[derive(Clone)]
pub(crate) struct Maildir(Arc<PathBuf>);

impl Maildir {
    /// Creates the folder if it does not exist.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join("tmp"))?;
        std::fs::create_dir_all(folder.join("new"))?;
        Ok(Self(Arc::new(folder)))
    }

    /// Delivers the mail of a task. It is written completely before it appears.
    pub(crate) async fn deliver(&self, task: TaskId, to: &str, text: &str) -> io::Result<()> {
        let name = format!("task-{task}");
        let draft = self.0.join("tmp").join(&name);
        tokio::fs::write(&draft, format!("To: {to}\n\n{text}\n")).await?;
        tokio::fs::rename(&draft, self.0.join("new").join(&name)).await
    }

    /// How many mails there are.
    pub(crate) async fn count(&self) -> io::Result<usize> {
        let mut mails = tokio::fs::read_dir(self.0.join("new")).await?;
        let mut count = 0;
        while mails.next_entry().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}
