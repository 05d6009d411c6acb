//! The machine's load during a run, with the names of the Python client.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sysinfo::{Networks, System};

use crate::gpu::Gpus;
use crate::tracker::shared::Shared;
use crate::units::{megabytes, percentage, rounded};
use crate::{Key, Metric, Timestamp};

/// The prefix of all names.
const PREFIX: &str = "system/";

/// A run that ends sooner than this after the last sample gets no further one.
const SHORTEST_SAMPLE: Duration = Duration::from_secs(1);

/// Measures at intervals, in its own thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// Closed to stop.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Starts measuring; `None`, with a warning, if no thread can be started.
    pub(crate) fn start(shared: &Arc<Shared>, every: Duration) -> Option<Self> {
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::clone(shared);
        let work = move || {
            let mut step = shared.index(|index| index.next_step(PREFIX));
            let mut load = Load::new();
            loop {
                let started = Instant::now();
                let stopping = stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout);
                if !stopping || started.elapsed() >= SHORTEST_SAMPLE {
                    shared.append_metrics(metrics(load.measure(), step));
                    step += 1;
                }
                if stopping {
                    return;
                }
            }
        };
        match thread::Builder::new().name("system-metrics".to_owned()).spawn(work) {
            Ok(thread) => Some(Self { stop: Some(stop), thread: Some(thread) }),
            Err(error) => {
                tracing::warn!("system metrics are not measured: {error}");
                None
            }
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A sample that panicked does not count.
            let _ = thread.join();
        }
    }
}

fn metrics(values: Vec<(String, f64)>, step: i64) -> Vec<Metric> {
    let timestamp = Timestamp::now();
    let metric = |(name, value): (String, f64)| Metric {
        key: Key::cleaned(&format!("{PREFIX}{name}")),
        value,
        timestamp,
        step,
    };
    values.into_iter().map(metric).collect()
}

/// The sources of the measurements, with the values of the time before.
struct Load {
    system: System,
    networks: Networks,
    /// Bytes received and sent before the run began.
    traffic_before: (u64, u64),
    gpus: Option<Gpus>,
}

impl Load {
    fn new() -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        let networks = Networks::new_with_refreshed_list();
        let traffic_before = traffic(&networks);
        Self { system, networks, traffic_before, gpus: Gpus::open() }
    }

    /// Values by name, without the prefix. CPU use is that since the call before.
    fn measure(&mut self) -> Vec<(String, f64)> {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        let (used, total) = (self.system.used_memory() as f64, self.system.total_memory() as f64);
        let (received, sent) = traffic(&self.networks);
        let since = |now: u64, before: u64| megabytes(now.saturating_sub(before) as f64);
        let mut values = vec![
            ("cpu_utilization_percentage", rounded(f64::from(self.system.global_cpu_usage()))),
            ("system_memory_usage_megabytes", rounded(megabytes(used))),
            ("system_memory_usage_percentage", rounded(percentage(used, total))),
            ("network_receive_megabytes", since(received, self.traffic_before.0)),
            ("network_transmit_megabytes", since(sent, self.traffic_before.1)),
        ];
        if let Ok(disk) = rustix::fs::statvfs("/") {
            values.extend(disk_use(&disk));
        }
        let gpus = self.gpus.iter().flat_map(Gpus::measure);
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(gpus).collect()
    }
}

/// As psutil counts: space reserved for the administrator is neither used nor free.
fn disk_use(disk: &rustix::fs::StatVfs) -> [(&'static str, f64); 3] {
    let bytes = |blocks: u64| blocks as f64 * disk.f_frsize as f64;
    let used = bytes(disk.f_blocks.saturating_sub(disk.f_bfree));
    let free = bytes(disk.f_bavail);
    [
        ("disk_usage_percentage", rounded(percentage(used, used + free))),
        ("disk_usage_megabytes", rounded(megabytes(used))),
        ("disk_available_megabytes", rounded(megabytes(free))),
    ]
}

/// Bytes received and sent since the machine started.
fn traffic(networks: &Networks) -> (u64, u64) {
    networks.values().fold((0, 0), |(received, sent), network| {
        (received + network.total_received(), sent + network.total_transmitted())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_there_and_in_its_range() {
        let mut load = Load::new();
        let values = load.measure();
        let value = |name: &str| values.iter().find(|(known, _)| known == name).unwrap().1;
        for name in ["cpu_utilization", "system_memory_usage", "disk_usage"] {
            let percentage = value(&format!("{name}_percentage"));
            assert!((0.0..=100.0).contains(&percentage), "{name}: {percentage}");
        }
        assert!(value("system_memory_usage_megabytes") > 1.0);
        assert!(value("disk_usage_megabytes") + value("disk_available_megabytes") > 100.0);
        assert!(value("network_receive_megabytes") >= 0.0);
        assert!(value("network_transmit_megabytes") >= 0.0);
    }
}
