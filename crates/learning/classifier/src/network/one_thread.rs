use std::sync::{Mutex, PoisonError};

/// How many guards exist, and how many threads libtorch used before the first of them.
///
/// The number of threads belongs to the process. If each guard restored the value it found, one
/// that began while another existed would find 1, and leave libtorch there.
static GUARDS: Mutex<Guards> = Mutex::new(Guards { living: 0, before: 1 });

struct Guards {
    living: usize,
    before: i32,
}

/// While one exists, libtorch runs on one thread; after the last, on as many as before the first.
#[derive(Debug)]
pub(crate) struct OneThread(());

impl OneThread {
    pub(super) fn start() -> Self {
        let mut guards = GUARDS.lock().unwrap_or_else(PoisonError::into_inner);
        if guards.living == 0 {
            guards.before = tch::get_num_threads();
            tch::set_num_threads(1);
        }
        guards.living += 1;
        Self(())
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        let mut guards = GUARDS.lock().unwrap_or_else(PoisonError::into_inner);
        guards.living -= 1;
        if guards.living == 0 {
            tch::set_num_threads(guards.before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_that_overlap_leave_the_threads_as_they_were() {
        let before = tch::get_num_threads();
        let first = OneThread::start();
        let second = OneThread::start();
        drop(first);
        assert_eq!(tch::get_num_threads(), 1);
        drop(second);
        assert_eq!(tch::get_num_threads(), before);
    }
}
