//! `ntk-agent`: everything is in the library.

fn main() -> std::process::ExitCode {
    ntk_agent::cli::main()
}
