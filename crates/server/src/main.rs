use std::process::ExitCode;

fn main() -> ExitCode {
    visavis_server::run(std::env::args_os())
}
