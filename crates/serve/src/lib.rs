//! The prediction server and its page.
//!
//! ```text
//! request ─ id, panics, headers, key, rate                        guard
//!    ↓ a place in the queue, before its body is read              admission
//!    ↓ raw, multipart or JSON                                      upload
//!    ↓ decoded and resized, beside the model's thread             scan
//!    ↓ batches of whoever waits, on the thread that owns the nets model::engine
//!    ↓ calibrated, checked for being foreign                      predict
//! answer                                                          answer, error
//! ```
//!
//! [`main`] loads the model, checks and warms it, and only then listens.

mod admission;
mod answer;
mod api;
mod arguments;
mod encode;
mod error;
mod guard;
mod listen;
mod logging;
mod meters;
mod model;
pub mod offline;
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
use clap::Parser;
use tokio::sync::{Mutex, Semaphore};

pub use crate::arguments::{Arguments, Command, LogFormat, RoleArgument};

use crate::admission::Admission;
use crate::guard::keys::{self, Keys};
use crate::guard::rate::RateLimit;
use crate::listen::StopSignals;
use crate::meters::Meters;
use crate::model::engine::Engine;
use crate::model::served::{ModelSource, ServedModel};
use crate::model::shelf::Shelf;
use crate::records::{Records, retention};
use crate::server::{Lifecycle, ModelPlaces, Server};
use crate::training::{Training, refused};

/// The program: exit code 0 when it was asked to stop, 1 when it failed, 2 for bad usage or
/// configuration.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(&arguments);
    stage::finish("serve", run(&arguments))
}

/// Does what the arguments say; serving, until it is asked to stop.
///
/// # Errors
/// When the configuration is refused, the model cannot be used, or the address is taken.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        None => serve(arguments),
        Some(Command::Key { name, role }) => print_key(name, (*role).into()),
        Some(Command::Openapi) => {
            let text =
                api::description().to_pretty_json().context("write the API's description")?;
            writeln!(std::io::stdout(), "{text}").context("print the API's description")
        }
    }
}

fn print_key(name: &str, role: config::Role) -> Result<()> {
    let (key, digest) = keys::generate();
    let role = keys::name_of(role);
    writeln!(
        std::io::stdout(),
        "The key, shown this once:\n\n  {key}\n\nIn config.yaml:\n\nserve:\n  keys:\n    \
         - {{name: {name}, role: {role}, sha256: {digest}}}"
    )
    .context("print the key")
}

fn serve(arguments: &Arguments) -> Result<()> {
    let config = arguments.config()?;
    listen::raise_file_limit();
    let listener = listen::bind(&config.serve)?;
    let places = ModelPlaces {
        folder: arguments.model.clone().unwrap_or_else(|| config.paths.model.clone()),
        pipeline_output: config.paths.model.clone(),
        evaluation: config.paths.evaluation.clone(),
        name: config.registry.model.clone(),
    };
    let (served, model) = ServedModel::load(ModelSource {
        folder: &refused::model_to_serve(&config.serve.folder, &places.folder),
        evaluation: &places.evaluation,
        device: config.serve.device,
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
    let (settings, corrections) = (config.serve, config.data.corrections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the asynchronous runtime")?;
    let records = runtime.block_on(Records::open(&settings))?;
    let server = Arc::new(Server {
        places,
        shelf: Shelf::new(Arc::clone(&served)),
        engine: Engine::start(served, model, settings.batch_images)?,
        swapping: Mutex::new(()),
        admission: Admission::new(settings.queue_requests, settings.limits.body_bytes()),
        decoding: Arc::new(Semaphore::new(cores)),
        keys: Keys::new(&settings.keys)?,
        rate: RateLimit::new(settings.limits.requests_per_minute),
        meters: Meters::new(),
        records,
        training: Training::new(&settings.folder, corrections.as_deref()),
        phase: Lifecycle::default(),
        config: settings,
    });
    runtime.block_on(answer(listener, Arc::clone(&server)))?;
    server.engine.stop();
    Ok(())
}

async fn answer(listener: std::net::TcpListener, server: Arc<Server>) -> Result<()> {
    let tls = match &server.config.tls {
        Some(files) => Some(listen::tls(files).await?),
        None => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = listener.local_addr().context("tell the address")?;
    let router = routes::router(&server);
    let signals = StopSignals::listen()?;
    writeln!(std::io::stdout(), "listening on {scheme}://{address}")
        .context("print the address")?;
    if !server.keys.are_needed() {
        tracing::info!("no keys are configured: whoever is on this machine may do everything");
    }
    let abandoned = "the server was stopped while it ran";
    if server.records.store.abandon_training(jiff::Timestamp::now(), abandoned).await? {
        tracing::warn!("a training was left unfinished when the server was stopped");
    }
    let retention = tokio::spawn(retention::keep_enforcing(Arc::clone(&server)));
    let stopped = listen::run(listener, tls, router, Arc::clone(&server), signals).await;
    retention.abort();
    server.training.abort();
    server.records.store.clone().close().await;
    stopped
}
