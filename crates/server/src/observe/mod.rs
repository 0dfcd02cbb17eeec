//! What operators see: logs, the access log, metrics.

pub(crate) mod access_log;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod request_id;
