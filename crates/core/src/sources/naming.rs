//! What sources are called, by the rules of the contract.

/// Longer names say nothing more.
const LONGEST_NAME: usize = 100;

/// The parameters that name a source.
pub(super) struct Campaign<'a> {
    pub(super) source: Option<&'a str>,
    pub(super) campaign: Option<&'a str>,
}

/// A source's name while no operator gave it one: the campaign, else `Dashboard` or
/// `Website Registration` by the address, else the host.
pub(super) fn category(host: &str, path: &str, campaign: &Campaign<'_>) -> String {
    if let Some(source) = campaign.source {
        return cut(&of_campaign(source, campaign.campaign));
    }
    if host.split('.').next() == Some("dashboard") {
        return "Dashboard".to_owned();
    }
    if ["/register", "/signup"].iter().any(|known| path.eq_ignore_ascii_case(known)) {
        return "Website Registration".to_owned();
    }
    cut(host.strip_prefix("www.").unwrap_or(host))
}

/// `Facebook - Spring Campaign`; a campaign that calls itself one is not told twice.
fn of_campaign(source: &str, campaign: Option<&str>) -> String {
    let source = titled(source);
    let campaign = campaign.map(titled).unwrap_or_default();
    if campaign.is_empty() {
        source
    } else if campaign.split(' ').any(|word| word == "Campaign") {
        format!("{source} - {campaign}")
    } else {
        format!("{source} - {campaign} Campaign")
    }
}

/// Words with a capital each; campaigns write blanks as `_` or `-`.
fn titled(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c == '_' || c == '-');
    let titled = words.filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        first + &letters.as_str().to_lowercase()
    });
    titled.collect::<Vec<_>>().join(" ")
}

/// The text without control characters and the marks that reorder or hide what surrounds them
/// (Unicode TR 36 §2): names are shown in consoles, tables and terminals.
pub(super) fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !is_hidden(*c)).collect::<String>().trim().to_owned()
}

fn cut(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}
