//! Named points at which a debug build can be made to die, so that tests can crash it between any two steps.

/// Ends the process here, as `kill -9` would, when `OKTA_OCSF_CRASH_AT` names this point: `name`, or `name:3` for the
/// third time it is reached. Nothing at all in a release build.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::crash::reached($name);
    };
}

/// See [`crash_point!`](crate::crash_point).
#[cfg(debug_assertions)]
pub fn reached(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static WANTED: LazyLock<Option<(String, usize)>> = LazyLock::new(|| {
        let text = std::env::var("OKTA_OCSF_CRASH_AT").ok()?;
        Some(match text.split_once(':') {
            Some((name, times)) => (name.to_owned(), times.parse().unwrap_or(1)),
            None => (text, 1),
        })
    });
    static TIMES: AtomicUsize = AtomicUsize::new(0);

    if let Some((wanted, times)) = &*WANTED
        && wanted == name
        && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        std::process::abort();
    }
}
