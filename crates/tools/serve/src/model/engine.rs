//! The thread that owns the networks.
//!
//! It takes the waiting images, up to a batch, and never waits for more: a single request is
//! answered at once, and under load batches fill by themselves. A request names the model it was
//! prepared for, so that a model can be replaced between two batches and no answer mixes two
//! models.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use classifier::model::{BatchSize, Heatmap, Input, Model, ModelOutput};
use tokio::sync::oneshot;

use crate::meters::operation::{Counted, Level};
use crate::model::served::ServedModel;

/// A batch that takes longer will not end: the largest takes seconds on one core.
const LONGEST_BATCH: Duration = Duration::from_secs(300);

/// Why the model has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// It was not processed before the request's deadline.
    #[error("the deadline of the request passed before its turn came")]
    Late,
    /// libtorch failed, or the thread panicked.
    #[error("the network cannot run: {0}")]
    Failed(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopped,
}

/// One image to be processed.
#[derive(Debug)]
pub(crate) struct Job {
    /// The model that it was prepared for.
    pub(crate) model: Arc<ServedModel>,
    /// The image, `[3, S, S]`.
    pub(crate) planes: Vec<f32>,
    /// Whether to compute where the model looked, too.
    pub(crate) explain: bool,
    /// The answer is not needed after this.
    pub(crate) deadline: Instant,
}

/// The model's output for an image.
#[derive(Debug)]
pub(crate) struct EngineOutput {
    pub(crate) output: ModelOutput,
    /// Grad-CAM of the most probable class, if requested.
    pub(crate) heatmap: Option<Heatmap>,
    /// The time in the queue, until the batch began.
    pub(crate) wait: Duration,
    /// The duration of the batch.
    pub(crate) inference: Duration,
    /// Images in the batch.
    pub(crate) batch: usize,
}

type Reply = oneshot::Sender<Result<EngineOutput, EngineError>>;

enum Order {
    Look { job: Job, queued: Instant, reply: Reply },
    Install { served: Arc<ServedModel>, model: Box<Model>, done: oneshot::Sender<()> },
}

/// A handle to the thread. Dropping the last one ends it when the queue is empty.
#[derive(Debug)]
pub(crate) struct Engine {
    orders: Mutex<Option<Sender<Order>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// When the running batch began.
    batch_began: Arc<Mutex<Option<Instant>>>,
    /// Images that wait, or are in a batch.
    queue: Level,
}

impl Engine {
    /// Starts the thread with its first model.
    ///
    /// # Errors
    /// When the system refuses another thread.
    pub(crate) fn start(
        served: Arc<ServedModel>,
        model: Model,
        batch_images: usize,
        queue: Level,
    ) -> anyhow::Result<Self> {
        let (orders, receiver) = channel();
        let batch_began = Arc::default();
        let owner = Owner {
            models: vec![(served, model)],
            batch_images,
            batch_began: Arc::clone(&batch_began),
        };
        let thread = Builder::new()
            .name("model".into())
            .spawn(move || owner.run(&receiver))
            .context("start the model's thread")?;
        Ok(Self {
            orders: Mutex::new(Some(orders)),
            thread: Mutex::new(Some(thread)),
            batch_began,
            queue,
        })
    }

    /// Whether the thread works: it has not ended, and its batch did not begin long ago.
    pub(crate) fn is_alive(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let began = *self.batch_began.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| !thread.is_finished())
            && began.is_none_or(|began| began.elapsed() < LONGEST_BATCH)
    }

    /// Requests the model's output for an image. Dropping the future removes the image from the
    /// queue.
    ///
    /// # Errors
    /// When the deadline passed, the network failed, or the server is stopping.
    pub(crate) async fn look(&self, job: Job) -> Result<EngineOutput, EngineError> {
        let (reply, answer) = oneshot::channel();
        let _in_queue = Counted::enter(&self.queue);
        self.send(Order::Look { job, queued: Instant::now(), reply })?;
        answer.await.unwrap_or(Err(EngineError::Stopped))
    }

    /// Gives the thread another model. It keeps those that requests still need.
    ///
    /// # Errors
    /// When the server is stopping.
    pub(crate) async fn install(
        &self,
        served: Arc<ServedModel>,
        model: Model,
    ) -> Result<(), EngineError> {
        let (done, installed) = oneshot::channel();
        self.send(Order::Install { served, model: Box::new(model), done })?;
        installed.await.map_err(|_| EngineError::Stopped)
    }

    /// Accepts no more, finishes the queue, and waits for the thread.
    pub(crate) fn stop(&self) {
        drop(self.orders.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the model's thread panicked");
        }
    }

    fn send(&self, order: Order) -> Result<(), EngineError> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = orders.as_ref().ok_or(EngineError::Stopped)?;
        orders.send(order).map_err(|_| EngineError::Stopped)
    }
}

/// The data that the thread owns.
struct Owner {
    models: Vec<(Arc<ServedModel>, Model)>,
    batch_images: usize,
    batch_began: Arc<Mutex<Option<Instant>>>,
}

/// A request whose answer is still needed.
struct Waiting {
    job: Job,
    queued: Instant,
    reply: Reply,
}

impl Owner {
    fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let mut batch = Vec::with_capacity(self.batch_images);
            self.take(first, &mut batch);
            while batch.len() < self.batch_images {
                let Ok(order) = orders.try_recv() else { break };
                self.take(order, &mut batch);
            }
            self.note(Some(Instant::now()));
            for images in by_model(batch) {
                self.answer(images);
            }
            self.note(None);
            self.forget_unused();
        }
    }

    /// Notes when the running batch began.
    fn note(&self, began: Option<Instant>) {
        *self.batch_began.lock().unwrap_or_else(PoisonError::into_inner) = began;
    }

    fn take(&mut self, order: Order, batch: &mut Vec<Waiting>) {
        match order {
            Order::Install { served, model, done } => {
                self.models.push((served, *model));
                let _ = done.send(());
            }
            Order::Look { reply, .. } if reply.is_closed() => {}
            Order::Look { job, reply, .. } if Instant::now() >= job.deadline => {
                let _ = reply.send(Err(EngineError::Late));
            }
            Order::Look { job, queued, reply } => batch.push(Waiting { job, queued, reply }),
        }
    }

    /// Processes images of one model.
    fn answer(&self, images: Vec<Waiting>) {
        let Some(first) = images.first() else { return };
        let wanted = &first.job.model;
        let Some((_, model)) = self.models.iter().find(|(it, _)| Arc::ptr_eq(it, wanted)) else {
            for waiting in images {
                let _ = waiting.reply.send(Err(EngineError::Failed("its model is gone".into())));
            }
            return;
        };
        let began = Instant::now();
        let seen = catch_unwind(AssertUnwindSafe(|| look(model, &images)))
            .unwrap_or_else(|_| Err("the model's thread panicked".into()));
        let (inference, batch) = (began.elapsed(), images.len());
        match seen {
            Ok(seen) => {
                for (waiting, (output, heatmap)) in images.into_iter().zip(seen) {
                    let wait = began.saturating_duration_since(waiting.queued);
                    let seen = EngineOutput { output, heatmap, wait, inference, batch };
                    let _ = waiting.reply.send(Ok(seen));
                }
            }
            Err(reason) => {
                tracing::error!("the network cannot run: {reason}");
                for waiting in images {
                    let _ = waiting.reply.send(Err(EngineError::Failed(reason.clone())));
                }
            }
        }
    }

    /// Drops models that only this thread still references.
    fn forget_unused(&mut self) {
        self.models.retain(|(served, _)| Arc::strong_count(served) > 1);
    }
}

type SeenByModel = Vec<(ModelOutput, Option<Heatmap>)>;

fn look(model: &Model, images: &[Waiting]) -> Result<SeenByModel, String> {
    let planes: Vec<&[f32]> = images.iter().map(|it| it.job.planes.as_slice()).collect();
    let outputs = model.output(Input::Images(&planes), BatchSize::AsGiven);
    let outputs = outputs.map_err(|error| error.to_string())?;
    let both = images.iter().zip(outputs).map(|(waiting, output)| {
        let heatmap = waiting.job.explain.then(|| {
            let logits: Vec<f64> = output.logits.iter().copied().map(f64::from).collect();
            let class = metrics::most_probable(&logits).ok_or("the output is not a number")?;
            model.grad_cam(&waiting.job.planes, class).map_err(|error| error.to_string())
        });
        Ok((output, heatmap.transpose()?))
    });
    both.collect()
}

/// Groups requests of the same model, in order.
fn by_model(batch: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut groups: Vec<Vec<Waiting>> = Vec::new();
    for waiting in batch {
        let group =
            groups.iter_mut().find(|group| Arc::ptr_eq(&group[0].job.model, &waiting.job.model));
        match group {
            Some(group) => group.push(waiting),
            None => groups.push(vec![waiting]),
        }
    }
    groups
}
