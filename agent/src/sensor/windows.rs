//! The rungs of the ladder that Windows has: its event log, what of it is switched off, and beside it changes of watched
//! folders. What Linux alone has answers with a sentence.

use std::sync::{Arc, Mutex};

use super::audit_policy::{self, AuditPolicySensor};
use super::event_log::{self, EventLogConfig, EventLogSensor};
use super::fingerprints::Fingerprints;
use super::standing::Standing;
use super::{Running, SensorConfig, Sink, Stop, not_started};
use crate::windows::audit_policy_ffi::SystemPolicy;
use crate::windows::event_log_ffi::SystemLog;

pub(super) fn observe(_: &SensorConfig, _: Sink, _: Stop) -> Result<Running, String> {
    Err("an agent is observed on Linux only".to_owned())
}

pub(super) fn sense_audit(
    _: &SensorConfig,
    _: &Arc<Standing>,
    _: Arc<Fingerprints>,
    _: Sink,
    _: Stop,
) -> Result<Running, String> {
    Err("kernel audit exists on Linux only: set `audit = false` below [sensor]".to_owned())
}

pub(super) fn sense_fanotify(
    _: &SensorConfig,
    _: &Arc<Standing>,
    _: Sink,
    _: Stop,
) -> Result<Running, String> {
    Err("fanotify exists on Linux only: set `fanotify = false` below [sensor]".to_owned())
}

pub(super) fn compare_policy(
    config: &SensorConfig,
    standing: &Arc<Standing>,
    sink: Sink,
    stop: Stop,
) -> Result<Running, String> {
    let sensor = AuditPolicySensor::new(Box::new(SystemPolicy), &config.watches, Arc::clone(&config.clock));
    let cannot_see = Arc::<Mutex<Vec<String>>>::default();
    let (told, standing) = (Arc::clone(&cannot_see), Arc::clone(standing));
    let running = Running::spawn(audit_policy::SENSOR, move || sensor.run(&told, &standing, &sink, &stop));
    let running = running.map_err(|error| not_started("the audit policy", &error))?;
    Ok(Running { cannot_see, ..running })
}

pub(super) fn open_logs(
    config: &SensorConfig,
    standing: &Arc<Standing>,
    _: &Arc<Fingerprints>,
) -> Result<EventLogSensor, String> {
    EventLogSensor::start(EventLogConfig {
        channels: config.channels.clone(),
        after: config.channels_after.clone(),
        log: Box::new(SystemLog),
        room: event_log::room::room(&config.watches, Arc::clone(standing)),
        clock: Arc::clone(&config.clock),
    })
}

pub(super) fn follow_logs(sensor: EventLogSensor, sink: Sink, stop: Stop) -> Result<Running, String> {
    let cannot_see = Arc::new(Mutex::new(sensor.cannot_see().to_vec()));
    let running = Running::spawn(event_log::SENSOR, move || sensor.run(&sink, &stop));
    let running = running.map_err(|error| not_started("the event log", &error))?;
    Ok(Running { cannot_see, ..running })
}
