//! The file of the configuration: which one it is, who else can read it, and where in it a key is.

use std::path::{Path, PathBuf};

use fastjob_core::private::{self, Exposed};
use toml::Table;

use super::{ConfigError, DEFAULT_FILE};

/// The file that was read, or that there is none.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file; `None` if none is named and the default one does not exist.
    pub(crate) path: Option<PathBuf>,
    /// Its text.
    pub(crate) text: String,
    pub(super) table: Table,
    /// Who else can read it.
    pub(super) exposed: Option<Exposed>,
    /// Whether it was named, and not found by default.
    pub(super) named: bool,
}

impl Source {
    /// Reads the file at `path`, else the one that `FASTJOB_CONFIG` names, else `fastjob.toml` if it
    /// exists.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError`] if the file cannot be read or is not TOML.
    pub(crate) fn find(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let variable = env("FASTJOB_CONFIG").filter(|value| !value.is_empty());
        let named = path.map(Path::to_owned).or(variable.map(PathBuf::from));
        let is_named = named.is_some();
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        let Some(path) = named.or_else(default) else { return Ok(Self::none()) };
        let (text, exposed) = private::read(&path)
            .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        let table = parse(&path, &text)?;
        Ok(Self { path: Some(path), text, table, exposed, named: is_named })
    }

    fn none() -> Self {
        let (path, text, table) = (None, String::new(), Table::new());
        Self { path, text, table, exposed: None, named: false }
    }

    /// A named file with this text.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn of_text(text: &str) -> Result<Self, ConfigError> {
        let table = parse(Path::new(DEFAULT_FILE), text)?;
        Ok(Self { table, text: text.to_owned(), named: true, ..Self::none() })
    }

    /// Whether the file has this key in this table.
    #[cfg(feature = "cli")]
    pub(crate) fn has(&self, table: &[String], key: &str) -> bool {
        let start = Some(&self.table);
        let found = table.iter().fold(start, |at, part| at?.get(part)?.as_table());
        found.is_some_and(|table| table.contains_key(key))
    }

    /// Which file was read, or where one was looked for.
    #[cfg(feature = "cli")]
    pub(crate) fn described(&self) -> String {
        match &self.path {
            Some(path) => {
                // The file may be named by a path relative to a folder that readers do not know.
                let full = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                format!("the configuration file is {}", full.display())
            }
            None => {
                let folder = std::env::current_dir();
                let folder = folder.map_or_else(
                    |_| "the working directory".to_owned(),
                    |folder| folder.display().to_string(),
                );
                format!(
                    "there is no configuration file: neither --config nor FASTJOB_CONFIG names one, \
                     and there is no {DEFAULT_FILE} in {folder}"
                )
            }
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|err| ConfigError::NoToml {
        path: path.to_owned(),
        line: err.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
        message: err.message().to_owned(),
    })
}
