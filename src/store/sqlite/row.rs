//! Structs that are read from rows by the names of their columns.

/// Declares a struct and reads it from a row. sqlx has a derive for this, for the price of its
/// whole macro crate in the build.
macro_rules! row_struct {
    ($(#[$meta:meta])* struct $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        struct $name { $($field: $type),+ }

        impl<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> for $name {
            fn from_row(row: &'r sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
                use sqlx::Row;
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}
pub(super) use row_struct;
