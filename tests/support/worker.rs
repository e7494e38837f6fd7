use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{block_on, until};

/// `okta-ocsf run` as a process; killed when the test ends.
pub struct Worker {
    child: Child,
    log: PathBuf,
    /// Where this incarnation's lines start in the log.
    log_start: usize,
}

impl Worker {
    pub fn start(config: &Path, log: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.arg("run").arg("--config").arg(config).envs(environment.iter().copied());
        Self::spawn(command, log)
    }

    /// As [`Worker::start`], with what it prints in a file.
    pub fn start_printing(config: &Path, log: &Path, output: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-ocsf"));
        command.arg("run").arg("--config").arg(config).stdout(File::create(output).unwrap());
        Self::launch(command, log)
    }

    pub fn spawn(mut command: Command, log: &Path) -> Self {
        command.stdout(Stdio::null());
        Self::launch(command, log)
    }

    fn launch(mut command: Command, log: &Path) -> Self {
        let file: File = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let log_start = file.metadata().unwrap().len() as usize;
        let child = command.stdin(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, log: log.to_owned(), log_start }
    }

    /// What this incarnation has logged.
    pub fn log(&self) -> String {
        let all = std::fs::read(&self.log).unwrap();
        String::from_utf8_lossy(&all[self.log_start..]).into_owned()
    }

    pub fn until_logged(&self, text: &str) {
        until(&format!("the log says {text:?}:\n{}", self.log()), || self.log().contains(text).then_some(()));
    }

    pub fn until_ready(&self) {
        until("the worker is ready", || (self.get("/readyz")?.0 == 200).then_some(()));
    }

    /// Whether the process says that it is ready, and why not.
    pub fn ready(&self) -> Option<(bool, String)> {
        self.get("/readyz").map(|(status, body)| (status == 200, body))
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let log = self.log();
        let started = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let started = started.into_iter().find(|line| line["message"] == "worker starts")?;
        let url = format!("http://{}{path}", started["telemetry"].as_str()?);
        block_on(async {
            let reply = reqwest::get(url).await.ok()?;
            Some((reply.status().as_u16(), reply.text().await.ok()?))
        })
    }

    /// A counter or gauge, summed over its labels; `label` picks the ones with that text among their labels.
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let Some((_, text)) = self.get("/metrics") else { return 0.0 };
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop and waits for its exit status.
    pub fn stop(&mut self) -> i32 {
        let stopped = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(stopped.success());
        self.exit_status()
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the process to end by itself; -1 if a signal ended it.
    pub fn exit_status(&mut self) -> i32 {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "the worker does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
            eprintln!("--- the end of {} ---\n{tail}", self.log.display());
        }
    }
}
