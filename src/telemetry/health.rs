use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a part of the worker reports about itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
struct Status {
    ready: bool,
    detail: String,
}

/// The health of the whole process: ready when every part says so.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Status>>>);

/// One part's side of [`Health`].
#[derive(Debug, Clone)]
pub struct Component {
    health: Health,
    name: String,
}

impl Health {
    /// Adds a part, not ready yet.
    pub fn component(&self, name: impl Into<String>) -> Component {
        let component = Component { health: self.clone(), name: name.into() };
        component.waiting("starting");
        component
    }

    /// Whether all parts are ready, and the report as JSON.
    pub fn report(&self) -> (bool, serde_json::Value) {
        let parts = self.parts();
        // Before it has parts, a process is starting.
        let ready = !parts.is_empty() && parts.values().all(|status| status.ready);
        (ready, serde_json::json!({ "ready": ready, "components": *parts }))
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<String, Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Component {
    /// The part does its work.
    pub fn ready(&self, detail: impl Into<String>) {
        self.set(true, detail.into());
    }

    /// The part waits for something; `detail` says for what.
    pub fn waiting(&self, detail: impl Into<String>) {
        self.set(false, detail.into());
    }

    fn set(&self, ready: bool, detail: String) {
        self.health.parts().insert(self.name.clone(), Status { ready, detail });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_it_has_parts_and_all_of_them_are() {
        let health = Health::default();
        assert!(!health.report().0, "it has only begun to start");
        let (one, other) = (health.component("one"), health.component("other"));
        one.ready("");
        assert!(!health.report().0);
        other.ready("");
        assert!(health.report().0);
        one.waiting("for something");
        assert!(!health.report().0);
    }
}
