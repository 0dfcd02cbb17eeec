//! Spans of time as people write them: `30s`, `15m`, `12h`, `14d`, or a whole number of seconds.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a time such as 30s, 15m, 12h or 14d")]
enum Spelling {
    Seconds(u32),
    Text(String),
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = match Spelling::deserialize(from)? {
        Spelling::Seconds(seconds) => return Ok(Duration::from_secs(seconds.into())),
        Spelling::Text(text) => text,
    };
    let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = unit.unwrap_or((&text, &1));
    let number: u32 = number
        .parse()
        .map_err(|_| D::Error::custom("must be a time such as 30s, 15m, 12h or 14d"))?;
    Ok(Duration::from_secs(u64::from(number) * factor))
}

pub(super) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    let seconds = span.as_secs();
    let fits = |(_, factor): &&(&str, u64)| seconds > 0 && seconds.is_multiple_of(*factor);
    let (unit, factor) = UNITS.iter().find(fits).unwrap_or(&("s", 1));
    to.collect_str(&format_args!("{}{unit}", seconds / factor))
}
