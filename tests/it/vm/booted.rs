//! A machine that is started again with other parameters than before: typed once, in no file.

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use serde_json::Value;

use super::{AT_MOST, events, kernel, practice_of_its_own};

const TEST: &str = "a_kernel_that_is_started_with_other_parameters_is_told_once_and_no_secret_of_them";

/// What of the parameters a machine's entries told, in their order.
fn told(events: &[Value]) -> Vec<String> {
    let changes = events.iter().filter(|event| event["tamper"]["what"] == "kernel_changed");
    changes.filter_map(|event| event["tamper"]["detail"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_kernel_that_is_started_with_other_parameters_is_told_once_and_no_secret_of_them() -> Result<()> {
    let Some(kernel) = kernel(TEST) else { return Ok(()) };
    let mut disk: Option<Vec<u8>> = None;
    let mut boot = |typed: &str| -> Result<Vec<Value>> {
        let mut image = practice_of_its_own(include_str!("booted.sh"))?;
        if let Some(disk) = disk.take() {
            image.file("/kept.tar", 0o600, disk);
        }
        let ended = kernel.boot_with(typed, &image.with_libraries()?, AT_MOST)?;
        ended.ensure_done()?;
        disk = ended.files.get("kept.tar").cloned();
        println!("{}", ended.steps());
        events(&ended)
    };
    // The twin: started as before.
    ensure!(told(&boot("")?).is_empty(), "a first boot has none before it");
    let as_before = boot("")?;
    ensure!(told(&as_before).is_empty(), "{as_before:#?}");
    let typed = noticed("boot-parameters", || boot("audit_backlog_limit=64 rd.luks.key=my-secret"))?;
    let changes = told(&typed);
    ensure!(
        changes
            == [
                "the kernel was started with other parameters than at the boot before; added: audit_backlog_limit=64 \
                 rd.luks.key=(withheld)"
            ],
        "{changes:#?}"
    );
    ensure!(!format!("{typed:?}").contains("my-secret"), "values that may be secrets stay on the machine");
    let health = typed.iter().rfind(|event| event["kind"] == "health").context("health")?;
    let parameters = &health["health"]["boot_parameters"];
    ensure!(
        parameters.as_array().is_some_and(|all| all.iter().any(|one| one == "rd.luks.key=(withheld)")),
        "{health}"
    );
    Ok(())
}
