//! What keeps the window's thread free: others stand back for it, and take from it what is long in going.

use crossbeam_channel::{Sender, TrySendError, bounded};
use std::any::Any;
use std::sync::OnceLock;

/// By how much nicer than the program it is: where processors are short, it gets a third of what the window may have.
#[cfg(target_os = "linux")]
const NICER: i32 = 5;
/// Values that may wait to go; more go where they are.
const MOST_WAITING: usize = 64;

type Anything = Box<dyn Any + Send>;

/// The calling thread lets the window's go first. To be called by threads whose work nobody watches; elsewhere than on
/// Linux systems see by themselves to the thread of the window that has the focus.
pub fn stand_back() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // Threads are born as nice as the one that starts them. The pool that the engine works with is started by whoever
        // needs it first, and must not be.
        rayon::current_num_threads();
        static OWN: OnceLock<i32> = OnceLock::new();
        // The first to come here has not stood back yet. Of a process only the calling thread is meant: Linux keeps the
        // niceness of each for itself.
        let own = *OWN.get_or_init(|| getpriority_process(None).unwrap_or(0));
        if let Err(error) = setpriority_process(None, own + NICER) {
            tracing::debug!(%error, "the thread keeps its priority");
        }
    }
}

/// Drops a value in a thread of its own. Giving back some hundred megabytes to the system takes as long as dozens of
/// frames. Never blocks.
pub fn discard(value: impl Send + 'static) {
    static BIN: OnceLock<Option<Sender<Anything>>> = OnceLock::new();
    let bin = BIN.get_or_init(|| {
        let (bin, inbox) = bounded::<Anything>(MOST_WAITING);
        let empty = move || {
            stand_back();
            inbox.into_iter().for_each(drop);
        };
        match std::thread::Builder::new().name("danqing-discard".into()).spawn(empty) {
            Ok(_) => Some(bin),
            Err(error) => {
                tracing::warn!(%error, "no thread to discard with");
                None
            }
        }
    });
    if let Some(bin) = bin
        && let Err(TrySendError::Full(value) | TrySendError::Disconnected(value)) = bin.try_send(Box::new(value))
    {
        drop(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::{ThreadId, current};
    use std::time::Duration;

    struct Tells(Sender<ThreadId>);

    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.send(current().id()).unwrap();
        }
    }

    #[test]
    fn what_is_discarded_goes_in_another_thread() {
        let (tell, told) = bounded(1);
        discard(vec![Tells(tell)]);
        let where_it_went = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_ne!(where_it_went, current().id());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_calling_thread_stands_back() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let other = std::thread::spawn(move || {
            stand_back();
            let heir = std::thread::spawn(move || {
                stand_back();
                nice()
            });
            (nice(), heir.join().unwrap(), rayon::broadcast(|_| nice()))
        });
        let (own, heir, pool) = other.join().unwrap();
        assert_eq!((own, heir), ((before + NICER).min(19), own));
        assert!(pool.into_iter().all(|pool| pool == before));
        assert_eq!(nice(), before);
    }
}
