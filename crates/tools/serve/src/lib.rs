//! The prediction server and its page.
//!
//! ```text
//! connection: idle, too many                                    listen
//! request ─ id, panics, headers, key, rate                        guard
//!    ↓ a place in the queue, before its body is read              intake, admission
//!    ↓ raw, multipart or JSON                                      upload
//!    ↓ decoded and resized, on other threads than the model's      decoding, scan
//!    ↓ batches of waiting images, on the networks' own thread        model::engine
//!    ↓ calibrated, checked for foreign images                     predict
//! answer                                                          answer, error
//! ```
//!
//! [`main`] loads the model, checks it and predicts a first image, and only then listens.

mod admission;
mod answer;
mod api;
mod arguments;
mod decoding;
mod drift;
mod encode;
mod error;
mod guard;
mod health_check;
mod intake;
mod lifecycle;
mod listen;
mod logging;
mod meters;
mod model;
pub mod offline;
mod own_task;
mod page;
mod predict;
mod records;
mod registry;
mod routes;
mod scan;
mod server;
mod startup;
mod training;
mod upload;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use program::UsageError;

pub use crate::arguments::{Arguments, Command, LogFormat, RoleArgument};

use crate::guard::{keys, revoked};

/// The program: exit code 0 after a request to stop, 1 after a failure, 2 for bad usage or
/// configuration.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(&arguments);
    program::finish("serve", run(&arguments))
}

/// Does what the arguments request; serves until it is asked to stop.
///
/// # Errors
/// When the configuration is refused, the model cannot be used, or the address is taken.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        None if arguments.health => health_check::ask(&arguments.settings()?.services.serve),
        None => startup::serve(arguments),
        Some(Command::Key { revoke: Some(name), .. }) => revoke_key(arguments, name),
        Some(Command::Key { name, role, .. }) => {
            // clap requires both without --revoke.
            let (name, role) = name.as_deref().zip(*role).context("make a key without a name")?;
            print_key(name, role.into())
        }
        Some(Command::Openapi) => {
            let text =
                api::description().to_pretty_json().context("write the API's description")?;
            writeln!(std::io::stdout(), "{text}").context("print the API's description")
        }
    }
}

fn print_key(name: &str, role: services::Role) -> Result<()> {
    let (key, digest) = keys::generate();
    let role = keys::name_of(role);
    writeln!(
        std::io::stdout(),
        "The key, shown this once:\n\n  {key}\n\nIn config.yaml:\n\nserve:\n  keys:\n    \
         - {{name: {name}, role: {role}, sha256: {digest}}}"
    )
    .context("print the key")
}

fn revoke_key(arguments: &Arguments, name: &str) -> Result<()> {
    let config = arguments.settings()?.services.serve;
    let known = config.keys.iter().find(|key| key.name == name);
    let Some(key) = known else {
        let message = format!("revoke the key {name:?}: serve.keys in config.yaml has none of it");
        return Err(UsageError(message).into());
    };
    startup::make_files_private();
    let digest = key.sha256.to_lowercase().parse().context("read its digest")?;
    revoked::add(&config.folder, digest)?;
    writeln!(
        std::io::stdout(),
        "The key {name:?} is revoked: servers of {} refuse it within seconds. Remove its line from \
         config.yaml.",
        config.folder.display()
    )
    .context("say so")
}
