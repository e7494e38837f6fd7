//! The binary: reads the command line, runs the command, prints an error once, and exits with its status.

use std::process::ExitCode;

fn main() -> ExitCode {
    okta_ocsf::cli::main()
}
