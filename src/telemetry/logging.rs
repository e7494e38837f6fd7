use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, TelemetryConfig};

/// Sends logs to standard error, so that standard output stays free for records.
///
/// # Errors
/// When the log level is no filter.
pub fn init(config: &TelemetryConfig) -> Result<(), String> {
    // The clients' own chatter is not ours to repeat below a warning.
    let quiet = "aws_config=warn,aws_smithy_runtime=warn,hyper_util=warn,rustls=warn,reqwest=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{}", config.log_level))
        .map_err(|error| format!("telemetry.log_level: {error}"))?;
    let human = match config.log_format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = if human {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_target(false).try_init()
    };
    installed.map_err(|error| format!("logging cannot start: {error}"))
}
