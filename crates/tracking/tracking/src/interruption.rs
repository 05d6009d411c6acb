use std::io;
use std::thread;
use std::time::Duration;

use mlflow::{EndHook, RunStatus};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// How long an interrupted program waits for the server: the user waits too.
const PATIENCE: Duration = Duration::from_secs(2);

/// From now on Ctrl-C and SIGTERM end the run as killed, and then the program, as they would
/// without this handler.
pub(crate) fn end_on_interruption(hook: EndHook) {
    if let Err(error) = listen(hook) {
        tracing::warn!("an interruption will not be logged to MLflow: {error}");
    }
}

fn listen(hook: EndHook) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let listening = move || {
        for signal in signals.forever() {
            hook.end(RunStatus::Killed, PATIENCE);
            // Does not return, unless the signal cannot be raised; then it waits for the next one.
            let _ = emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("interruption".to_owned()).spawn(listening).map(drop)
}
