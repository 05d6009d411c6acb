//! Rows of both databases as structs.

/// Defines a struct whose fields are the columns of a row, and reads it from SQLite and PostgreSQL, as
/// sqlx's own `derive(FromRow)` does. That one is not used because its macros compile sqlx, with both
/// databases, a second time.
macro_rules! row {
    ($(#[$attribute:meta])* $visible:vis struct $name:ident {
        $($(#[$about:meta])* $open:vis $column:ident: $type:ty),* $(,)?
    }) => {
        $(#[$attribute])*
        $visible struct $name { $($(#[$about])* $open $column: $type),* }

        $crate::row::row!(@read sqlx::sqlite::SqliteRow, $name, $($column),*);
        $crate::row::row!(@read sqlx::postgres::PgRow, $name, $($column),*);
    };
    (@read $row:ty, $name:ident, $($column:ident),*) => {
        impl sqlx::FromRow<'_, $row> for $name {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                use sqlx::Row as _;
                Ok(Self { $($column: row.try_get(stringify!($column))?),* })
            }
        }
    };
}

pub(crate) use row;
