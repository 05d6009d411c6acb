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
mod encode;
mod error;
mod guard;
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
mod routes;
mod scan;
mod server;
mod training;
mod upload;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::FromRef;
use clap::Parser;
use program::UsageError;
use rustix::fs::Mode;
use services::Services;

pub use crate::arguments::{Arguments, Command, LogFormat, RoleArgument};

use crate::arguments::Settings;
use crate::guard::keys::{self, Keys};
use crate::guard::rate::RateLimit;
use crate::guard::reload::KeyWatch;
use crate::guard::revoked;
use crate::guard::roles::Guard;
use crate::intake::Intake;
use crate::listen::StopSignals;
use crate::listen::connections::Connections;
use crate::listen::listening::Listening;
use crate::meters::Meters;
use crate::model::engine::Engine;
use crate::model::host::{ModelHost, ModelPlaces};
use crate::model::served::{ModelSource, ServedModel};
use crate::model::shelf::Shelf;
use crate::own_task::OwnTasks;
use crate::records::{Records, retention};
use crate::server::Server;
use crate::training::{Training, refused};

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
        None => serve(arguments),
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
    make_files_private();
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

/// From now on only its own user may read the files that this process writes: images, predictions,
/// keys. Returns the file mode mask before.
fn make_files_private() -> Mode {
    rustix::process::umask(Mode::from_bits_truncate(0o077))
}

fn serve(arguments: &Arguments) -> Result<()> {
    let Settings { config, services } = arguments.settings()?;
    let Services { registry, serve: settings, .. } = services;
    let mask = make_files_private();
    listen::raise_file_limit();
    let listener = listen::bind(&settings)?;
    let places = ModelPlaces {
        folder: arguments.model.clone().unwrap_or_else(|| config.paths.model.clone()),
        pipeline_output: config.paths.model.clone(),
        evaluation: config.paths.evaluation.clone(),
        name: registry.model,
    };
    let (served, model) = ServedModel::load(ModelSource {
        folder: &refused::model_to_serve(&settings.folder, &places.folder),
        evaluation: &places.evaluation,
        device: settings.device,
        name: &places.name,
    })?;
    tracing::info!(
        model = served.name.name,
        digest = served.name.digest,
        device = served.backend,
        "loaded the model"
    );
    if served.calibration.is_none() {
        tracing::warn!("the model was never calibrated: foreign images are not recognised");
    }
    let served = Arc::new(served);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let corrections = config.data.corrections;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the asynchronous runtime")?;
    let records = runtime.block_on(Records::open(&settings))?;
    let keys = Arc::new(Keys::new(&settings.keys, &revoked::read(&settings.folder)?)?);
    let records = Arc::new(records);
    let own_tasks = Arc::new(OwnTasks::default());
    let server = Server {
        lifecycle: Arc::default(),
        connections: Connections::new(listen::most_connections(&settings)),
        guard: Arc::new(Guard {
            keys: Arc::clone(&keys),
            rate: RateLimit::new(settings.limits.requests_per_minute),
            open_rate: RateLimit::of_open(settings.limits.requests_per_minute),
            records: Arc::clone(&records),
            own_tasks: Arc::clone(&own_tasks),
        }),
        intake: Arc::new(Intake::new(&settings, keys, cores)),
        host: Arc::new(ModelHost {
            places,
            device: settings.device,
            shelf: Shelf::new(Arc::clone(&served)),
            engine: Engine::start(served, model, settings.batch_images)?,
            swapping: Arc::default(),
        }),
        records,
        training: Arc::new(Training::new(&settings.folder, corrections.as_deref(), mask)),
        meters: Arc::new(Meters::new()),
        own_tasks,
        settings: Arc::new(settings),
    };
    let watch = runtime.block_on(async { KeyWatch::start(arguments.config.clone()) })?;
    let answered = runtime.block_on(answer(listener, &server, watch));
    // Images that are still being decoded are no longer needed, and are not waited for.
    runtime.shutdown_background();
    answered?;
    server.host.engine.stop();
    Ok(())
}

async fn answer(listener: std::net::TcpListener, server: &Server, watch: KeyWatch) -> Result<()> {
    let tls = match &server.settings.tls {
        Some(files) => Some(listen::tls(files)?),
        None => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = listener.local_addr().context("tell the address")?;
    let router = routes::router(server);
    let signals = StopSignals::listen()?;
    if server.training.is_left_behind() {
        tracing::warn!("the programs of a training that another server began still run");
    }
    writeln!(std::io::stdout(), "listening on {scheme}://{address}")
        .context("print the address")?;
    if !server.guard.keys.are_needed() {
        tracing::info!("no keys are configured: whoever is on this machine may do everything");
    }
    let abandoned = "the server was stopped while it ran";
    if server.records.store.abandon_training(jiff::Timestamp::now(), abandoned).await? {
        tracing::warn!("a training was left unfinished when the server was stopped");
    }
    let (days, folder) = (server.settings.retention_days, server.settings.folder.clone());
    let tasks = [
        tokio::spawn(retention::keep_enforcing(Arc::clone(&server.records), days)),
        tokio::spawn(watch.keep_reading(Arc::clone(&server.guard.keys), folder)),
    ];
    let stopping = tokio::spawn(signals.obey(
        listen::grace(&server.settings),
        Arc::clone(&server.lifecycle),
        Arc::clone(&server.training),
    ));
    let stopped = listen::run(listener, tls, router, Listening::from_ref(server)).await;
    for task in tasks {
        task.abort();
    }
    // It ends the programs of a training.
    if let Ok(deadline) = stopping.await {
        server.own_tasks.end_by(deadline).await;
    }
    server.records.store.clone().close().await;
    stopped
}
