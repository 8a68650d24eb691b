//! The rungs of the ladder that Linux has: audit, fanotify, the logs of login programs, and the observer beside them.

use std::sync::Arc;

use super::fingerprints::Fingerprints;
use super::standing::Standing;
use super::{Running, SensorConfig, Sink, Stop, audit, fanotify, logs, not_started};

pub(super) fn observe(config: &SensorConfig, sink: Sink, stop: Stop) -> Result<Running, String> {
    let names = Box::new(crate::host::Accounts::default());
    let observer = audit::observe::Observer::start(names, Arc::clone(&config.clock));
    let observer = observer.map_err(|unavailable| unavailable.to_string())?;
    let cannot_see = observer.cannot_see();
    let running = Running::spawn(audit::observe::OBSERVER, move || observer.run(&sink, &stop));
    let running = running.map_err(|error| not_started("the agent's end", &error))?;
    Ok(Running { cannot_see, ..running })
}

pub(super) fn sense_audit(
    config: &SensorConfig,
    standing: &Arc<Standing>,
    fingerprints: Arc<Fingerprints>,
    sink: Sink,
    stop: Stop,
) -> Result<Running, String> {
    let sensor = audit::AuditSensor::take(audit::AuditConfig {
        watches: config.watches.clone(),
        sealed: config.sealed,
        state_file: config.state_file.clone(),
        names: Box::new(crate::host::Accounts::default()),
        clock: Arc::clone(&config.clock),
        standing: Arc::clone(standing),
        fingerprints,
    });
    let sensor = sensor.map_err(|unavailable| unavailable.to_string())?;
    let (status, cannot_see) = (sensor.status(), sensor.cannot_see());
    let running = Running::spawn(crate::classify::SENSOR, move || sensor.run(&sink, &stop));
    let running = running.map_err(|error| not_started("kernel audit", &error))?;
    Ok(Running { audit: Some(status), cannot_see, ..running })
}

pub(super) fn sense_fanotify(
    config: &SensorConfig,
    standing: &Arc<Standing>,
    sink: Sink,
    stop: Stop,
) -> Result<Running, String> {
    let sensor = fanotify::FanotifySensor::start(fanotify::FanotifyConfig {
        watches: config.watches.clone(),
        standing: Arc::clone(standing),
        names: Box::new(crate::host::Accounts::default()),
        clock: Arc::clone(&config.clock),
    })?;
    let cannot_see = sensor.cannot_see();
    let running = Running::spawn(fanotify::SENSOR, move || sensor.run(&sink, &stop));
    let running = running.map_err(|error| not_started("fanotify", &error))?;
    Ok(Running { cannot_see, ..running })
}

pub(super) fn open_logs(
    config: &SensorConfig,
    standing: &Arc<Standing>,
    fingerprints: &Arc<Fingerprints>,
) -> Result<logs::LogsSensor, String> {
    logs::LogsSensor::start(logs::LogsConfig {
        files: config.log_files.clone(),
        standing: Arc::clone(standing),
        fingerprints: Arc::clone(fingerprints),
        clock: Arc::clone(&config.clock),
    })
}

pub(super) fn follow_logs(sensor: logs::LogsSensor, sink: Sink, stop: Stop) -> Result<Running, String> {
    sensor.say();
    let cannot_see = sensor.cannot_see();
    let running = Running::spawn(crate::auth_log::SENSOR, move || sensor.run(&sink, &stop));
    let running = running.map_err(|error| not_started("the logs of login programs", &error))?;
    Ok(Running { cannot_see, ..running })
}
