use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// The database: `sqlite:<path>` or `postgres://…`. Displayed without its password.
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) Address);

#[derive(Clone)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// Text that is not a database address. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the database address {reason}; expected sqlite:<path of a file> or postgres://user@host/name"
)]
pub struct InvalidDatabaseUrl {
    reason: String,
}

impl DatabaseUrl {
    /// SQLite in this file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Address::Sqlite(path.into()))
    }
}

impl Default for DatabaseUrl {
    /// `sqlite:artifacts/serve/predictions.db`.
    fn default() -> Self {
        Self::sqlite("artifacts/serve/predictions.db")
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let invalid = |reason: &str| InvalidDatabaseUrl { reason: reason.to_owned() };
        let (scheme, rest) = text.split_once(':').ok_or_else(|| invalid("has no scheme"))?;
        match scheme {
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err(invalid("names no file")),
                ":memory:" => Err(invalid("names memory, which remembers nothing")),
                path if path.contains('?') => Err(invalid("has options after a '?'")),
                path => Ok(Self::sqlite(path)),
            },
            // PgConnectOptions reads PGHOST, PGPASSWORD and similar variables for missing parts of
            // the address.
            "postgres" | "postgresql" => match text.parse::<PgConnectOptions>() {
                Ok(options) => Ok(Self(Address::Postgres(Box::new(options)))),
                Err(error) => Err(InvalidDatabaseUrl {
                    reason: format!("of PostgreSQL cannot be read: {error}"),
                }),
            },
            _ => Err(invalid("is neither SQLite's nor PostgreSQL's")),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
            Address::Postgres(options) => {
                write!(out, "postgres://{}@", options.get_username())?;
                match options.get_socket() {
                    Some(folder) => write!(out, "{}", folder.display())?,
                    None => write!(out, "{}:{}", options.get_host(), options.get_port())?,
                }
                write!(out, "/{}", options.get_database().unwrap_or(options.get_username()))
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_shown_without_the_password() {
        for (text, shown) in [
            ("sqlite:a/b c.db", "sqlite:a/b c.db"),
            ("sqlite:///var/lib/p.db", "sqlite:/var/lib/p.db"),
            ("postgres://anna:secret@db:5433/scans", "postgres://anna@db:5433/scans"),
            ("postgresql://anna:secret@db/scans?sslmode=require", "postgres://anna@db:5432/scans"),
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("secret"));
        }
    }

    #[test]
    fn what_names_no_database_is_refused_without_repeating_it() {
        for text in [
            "",
            "predictions.db",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a.db?mode=ro",
            "mysql://anna:secret@db/scans",
            "postgres://anna:secret@db:port/scans",
        ] {
            let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(error.contains("expected sqlite:"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
