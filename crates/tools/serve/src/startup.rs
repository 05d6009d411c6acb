//! Starts the server: the model, the records, the parts that requests share; then listens.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::FromRef;
use config::Config;
use rustix::fs::Mode;
use services::{ServeConfig, Services};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::arguments::{Arguments, Settings};
use crate::drift::watch::DriftWatch;
use crate::guard::keys::Keys;
use crate::guard::rate::RateLimit;
use crate::guard::reload::KeyWatch;
use crate::guard::revoked;
use crate::guard::roles::Guard;
use crate::intake::Intake;
use crate::listen::connections::Connections;
use crate::listen::listening::Listening;
use crate::listen::{self, StopSignals};
use crate::meters::Meters;
use crate::model::engine::Engine;
use crate::model::host::{ModelHost, ModelPlaces};
use crate::model::served::{ModelSource, ServedModel};
use crate::model::shelf::Shelf;
use crate::own_task::OwnTasks;
use crate::records::{Records, retention, watch};
use crate::registry::champion::{Champion, FetchedVersion};
use crate::registry::follow::{self, Follower, Following, Requests};
use crate::routes;
use crate::routes::feedback::Corrector;
use crate::server::Server;
use crate::training::{Training, refused};

/// From now on only its own user may read the files that this process writes: images, predictions,
/// keys. Returns the file mode mask before.
pub(crate) fn make_files_private() -> Mode {
    rustix::process::umask(Mode::from_bits_truncate(0o077))
}

/// Serves until it is asked to stop.
///
/// # Errors
/// When the configuration is refused, the model cannot be used, or the address is taken.
pub(crate) fn serve(arguments: &Arguments) -> Result<()> {
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
    let followed = settings.follow.is_some().then(|| first_champion(&config, &settings, &places));
    let followed = followed.transpose()?;
    let folder = match &followed {
        Some((_, first)) => first.folder.clone(),
        None => refused::model_to_serve(&settings.folder, &places.folder),
    };
    let loaded = ServedModel::load(ModelSource {
        folder: &folder,
        evaluation: &places.evaluation,
        device: settings.device,
        name: &places.name,
    })?;
    report(&loaded.0);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the asynchronous runtime")?;
    let (follower, requests) = follow::channel();
    let server = Assembly {
        runtime: &runtime,
        settings,
        places,
        corrections: config.data.corrections.as_deref(),
        mask,
        follower: followed.is_some().then_some(follower),
    }
    .server(loaded)?;
    if let Some(followed) = followed {
        start_following(followed, &server, &runtime, requests)?;
    }
    let watch = runtime.block_on(async { KeyWatch::start(arguments.config.clone()) })?;
    let answered = runtime.block_on(answer(listener, &server, watch));
    // Images that are still being decoded are no longer needed, and are not waited for.
    runtime.shutdown_background();
    answered?;
    server.host.engine.stop();
    Ok(())
}

fn first_champion(
    config: &Config,
    settings: &ServeConfig,
    places: &ModelPlaces,
) -> Result<(Champion, FetchedVersion)> {
    let champion = Champion::new(&config.tracking, &places.name, &settings.folder)?;
    let first = champion.first()?;
    Ok((champion, first))
}

fn report(served: &ServedModel) {
    tracing::info!(
        model = served.name.name,
        digest = served.name.digest,
        device = served.backend,
        "loaded the model"
    );
    if served.calibration.is_none() {
        tracing::warn!("the model was never calibrated: foreign images are not recognised");
    }
}

/// What the parts of a server are made of, beside its model.
struct Assembly<'a> {
    runtime: &'a Runtime,
    settings: ServeConfig,
    places: ModelPlaces,
    corrections: Option<&'a std::path::Path>,
    mask: Mode,
    follower: Option<Follower>,
}

impl Assembly<'_> {
    fn server(self, (served, model): (ServedModel, classifier::model::Model)) -> Result<Server> {
        let Self { runtime, settings, places, corrections, mask, follower } = self;
        let served = Arc::new(served);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let records = Arc::new(runtime.block_on(Records::open(&settings))?);
        let keys = Arc::new(Keys::new(&settings.keys, &revoked::read(&settings.folder)?)?);
        let own_tasks = Arc::new(OwnTasks::default());
        let meters = Arc::new(Meters::new(&settings));
        meters.operation.serves(&served);
        let (queue_images, queue_requests) =
            (meters.operation.queue_images.clone(), meters.operation.queue_requests.clone());
        Ok(Server {
            lifecycle: Arc::default(),
            connections: Connections::new(listen::most_connections(&settings)),
            guard: Arc::new(Guard {
                keys: Arc::clone(&keys),
                rate: RateLimit::new(settings.limits.requests_per_minute),
                open_rate: RateLimit::of_open(settings.limits.requests_per_minute),
                records: Arc::clone(&records),
                own_tasks: Arc::clone(&own_tasks),
            }),
            intake: Arc::new(Intake::new(&settings, keys, cores, queue_requests)),
            host: Arc::new(ModelHost {
                places,
                device: settings.device,
                shelf: Shelf::new(Arc::clone(&served)),
                engine: Engine::start(served, model, settings.batch_images, queue_images)?,
                swapping: Arc::default(),
                follower,
            }),
            records,
            training: Arc::new(Training::new(&settings, corrections, mask)),
            meters,
            own_tasks,
            drift: Arc::new(DriftWatch::new(settings.drift)),
            settings: Arc::new(settings),
        })
    }
}

fn start_following(
    (champion, served): (Champion, FetchedVersion),
    server: &Server,
    runtime: &Runtime,
    requests: Requests,
) -> Result<()> {
    let following = Following {
        champion,
        swap: FromRef::from_ref(server),
        lifecycle: Arc::clone(&server.lifecycle),
        served,
        runtime: runtime.handle().clone(),
    };
    following.start(server.settings.follow.unwrap_or_default(), requests)
}

async fn answer(listener: std::net::TcpListener, server: &Server, watch: KeyWatch) -> Result<()> {
    let tls = match &server.settings.tls {
        Some(files) => Some(listen::tls(files)?),
        None => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = listener.local_addr().context("find the server's address")?;
    let router = routes::router(server);
    let signals = StopSignals::listen()?;
    end_trainings_left_behind(server).await?;
    writeln!(std::io::stdout(), "listening on {scheme}://{address}")
        .context("print the address")?;
    if !server.guard.keys.are_needed() {
        tracing::info!("no keys are configured: every user of this machine may do everything");
    }
    let tasks = background_tasks(server, watch);
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

/// A server that was killed leaves a training unfinished. Only the server that trains knows: another
/// one that starts must not end what runs there.
async fn end_trainings_left_behind(server: &Server) -> Result<()> {
    if !server.training.is_here() {
        return Ok(());
    }
    if server.training.is_left_behind() {
        tracing::warn!("the programs of a training that another server began still run");
    }
    let abandoned = "the server was stopped while it ran";
    if server.records.store.abandon_training(jiff::Timestamp::now(), abandoned).await? {
        tracing::warn!("a training was left unfinished when the server was stopped");
    }
    Ok(())
}

fn background_tasks(server: &Server, watch: KeyWatch) -> [JoinHandle<()>; 4] {
    let (days, folder) = (server.settings.retention_days, server.settings.folder.clone());
    let (records, meters) = (Arc::clone(&server.records), Arc::clone(&server.meters));
    let drift = Arc::clone(&server.drift).keep_testing(
        Arc::clone(&server.host),
        Arc::clone(&records),
        Arc::clone(&meters),
    );
    [
        tokio::spawn(retention::keep_enforcing(records, days)),
        tokio::spawn(watch.keep_reading(Arc::clone(&server.guard.keys), folder)),
        tokio::spawn(watch::keep_watching(Corrector::from_ref(server), meters)),
        tokio::spawn(drift),
    ]
}
