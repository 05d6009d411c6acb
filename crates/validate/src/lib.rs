//! Stage 2.
mod arguments;
mod groups;
mod patients;
mod split;
pub use arguments::Arguments;
/// Validates.
///
/// # Errors
/// Always, for now.
pub fn run(_: &Arguments) -> anyhow::Result<()> {
    anyhow::bail!("validate")
}
