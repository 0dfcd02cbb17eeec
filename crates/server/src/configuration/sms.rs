//! `[sms]`: from keys to a way for SMS to leave. Off until configured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ironlatch_core::messages::{
    Gateway, GatewayFormat, GatewayMethod, GatewaySettings, LogTransport,
    Twilio as TwilioTransport, TwilioSender, TwilioSettings,
};
use ironlatch_core::ports::SmsTransport;
use ironlatch_core::settings::{Mistake, SmsSettings};
use serde::{Deserialize, Serialize};

use super::Mistakes;
use super::mail::secret;

/// `[sms]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sms {
    transport: Transport,
    countries: Vec<String>,
    daily_budget: u32,
    per_prefix_hour: u32,
    per_network_hour: u32,
    templates: Option<PathBuf>,
    twilio: Twilio,
    http: Http,
}

/// `sms.transport`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Transport {
    /// Nobody is offered an SMS.
    #[default]
    Off,
    /// That an SMS would have gone out is logged; nothing is sent.
    Log,
    Twilio,
    Http,
}

/// `[sms.twilio]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Twilio {
    account_sid: String,
    key_sid: Option<String>,
    auth_token_file: Option<PathBuf>,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    base_url: Option<String>,
}

/// `[sms.http]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Http {
    url: String,
    method: Method,
    format: Format,
    body: String,
    headers: BTreeMap<String, String>,
    token_file: Option<PathBuf>,
    answer_contains: Option<String>,
}

/// `sms.http.method`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    #[default]
    Post,
    Put,
    Get,
}

/// `sms.http.format`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Json,
    Form,
}

impl Default for Sms {
    fn default() -> Self {
        let core = SmsSettings::default();
        Self {
            transport: Transport::Off,
            countries: core.countries,
            daily_budget: core.daily_budget,
            per_prefix_hour: core.per_prefix_hour,
            per_network_hour: core.per_network_hour,
            templates: core.templates,
            twilio: Twilio::default(),
            http: Http::default(),
        }
    }
}

impl Sms {
    /// What the core is told.
    pub(super) fn core_settings(&self) -> SmsSettings {
        SmsSettings {
            countries: self.countries.clone(),
            daily_budget: self.daily_budget,
            per_prefix_hour: self.per_prefix_hour,
            per_network_hour: self.per_network_hour,
            templates: self.templates.clone(),
        }
    }

    /// The configured transport, if any; secrets are read from their files here.
    pub(super) fn transport(&self, mistakes: &mut Mistakes) -> Option<Arc<dyn SmsTransport>> {
        mistakes.unless(
            self.transport == Transport::Off || !self.countries.is_empty(),
            "sms.countries",
            "must name the countries you want to pay SMS to, e.g. [\"DE\", \"AT\"]: strangers \
             earn from SMS to numbers of their own (IRONLATCH_SMS__COUNTRIES)",
        );
        match self.transport {
            Transport::Off => None,
            Transport::Log => Some(Arc::new(LogTransport)),
            Transport::Twilio => self.twilio.build(mistakes),
            Transport::Http => self.http.build(mistakes),
        }
    }
}

impl Twilio {
    fn build(&self, mistakes: &mut Mistakes) -> Option<Arc<dyn SmsTransport>> {
        let sender = match (&self.from, &self.messaging_service_sid) {
            (Some(from), None) => Some(TwilioSender::From(from.clone())),
            (None, Some(sid)) => Some(TwilioSender::MessagingService(sid.clone())),
            _ => {
                let sentence = "or sms.twilio.messaging_service_sid must be given, not both";
                mistakes.add("sms.twilio.from", sentence);
                None
            }
        };
        let Some(path) = &self.auth_token_file else {
            let sentence = "must be given for this sms.transport";
            mistakes.add("sms.twilio.auth_token_file", sentence);
            return None;
        };
        let token = secret("sms.twilio.auth_token_file", path, mistakes)?;
        let mut settings = TwilioSettings::new(self.account_sid.clone(), token, sender?);
        settings.key_sid.clone_from(&self.key_sid);
        if let Some(url) = &self.base_url {
            settings.base_url.clone_from(url);
        }
        kept(TwilioTransport::new(&settings), mistakes)
    }
}

impl Http {
    fn build(&self, mistakes: &mut Mistakes) -> Option<Arc<dyn SmsTransport>> {
        let token = match &self.token_file {
            Some(path) => Some(secret("sms.http.token_file", path, mistakes)?),
            None => None,
        };
        let settings = GatewaySettings {
            method: match self.method {
                Method::Post => GatewayMethod::Post,
                Method::Put => GatewayMethod::Put,
                Method::Get => GatewayMethod::Get,
            },
            format: match self.format {
                Format::Json => GatewayFormat::Json,
                Format::Form => GatewayFormat::Form,
            },
            headers: self.headers.clone().into_iter().collect(),
            token,
            answer_contains: self.answer_contains.clone(),
            ..GatewaySettings::new(self.url.clone(), self.body.clone())
        };
        kept(Gateway::new(&settings), mistakes)
    }
}

/// A transport, or its mistakes noted.
fn kept<T: SmsTransport + 'static>(
    built: Result<T, Vec<Mistake>>,
    mistakes: &mut Mistakes,
) -> Option<Arc<dyn SmsTransport>> {
    match built {
        Ok(transport) => Some(Arc::new(transport)),
        Err(found) => {
            for mistake in found {
                mistakes.add(&mistake.key, mistake.sentence);
            }
            None
        }
    }
}
