use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A command that ends by itself and says in JSON what has become of each org, under way; ended with the test.
pub struct Running(Option<Child>);

impl Running {
    pub fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self(Some(child))
    }

    /// Asks it to stop, as a supervisor does.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to stop, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    /// As a machine that loses its power.
    pub fn kill(&self) {
        self.signal("-KILL");
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    pub fn end(mut self) -> Ended {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let orgs = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Ended { status: output.status.code(), orgs, said }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What such a command gave; each test adds what it asserts of it.
#[derive(Debug)]
pub struct Ended {
    /// None if it was killed.
    pub status: Option<i32>,
    /// One for each org.
    pub orgs: Vec<Value>,
    /// What a person saw meanwhile.
    pub said: String,
}

impl Ended {
    pub fn org(&self, id: &str) -> &Value {
        let found = self.orgs.iter().find(|org| org["org"] == id);
        found.unwrap_or_else(|| panic!("{id} is not in what was told ({:?}): {}", self.status, self.said))
    }
}
