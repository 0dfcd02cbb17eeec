//! What mails say, and what they never do.

use std::path::Path;
use std::sync::Arc;

use ironlatch_core::messages::{Message, Templates};
use ironlatch_core::settings::{MailSettings, SmsSettings};
use ironlatch_core::time::Timestamp;
use ironlatch_testkit::Inbox;

use super::{node, write};

const LINK: &str = "https://auth.example.com/page?token=tok-en&next=%2F";
const HOSTILE: &str = "<a href=\"https://evil.example\">Ada & Co</a>\r\nBcc: eve@evil.example";

fn one_of_each() -> Vec<Message> {
    let at = Timestamp::from_micros(1_795_220_580_000_000);
    let (link, from) = (LINK.to_owned(), format!("192.0.2.1 ({HOSTILE})"));
    let (name, device) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    vec![
        Message::VerifyEmail { link: link.clone() },
        Message::AlreadyRegistered { reset_link_page: link.clone() },
        Message::SignInCode { code: "042137".to_owned(), link: Some(link.clone()) },
        Message::SignInCode { code: "042137".to_owned(), link: None },
        Message::SignUpCode { code: "042137".to_owned() },
        Message::ResetPassword { link, name: Some(HOSTILE.to_owned()) },
        Message::Welcome { name },
        Message::PasswordChanged { at, from: from.clone() },
        Message::ChangeEmail { link: LINK.to_owned() },
        Message::EmailChanged { at, from: from.clone(), undo_link: LINK.to_owned() },
        Message::NewEmail { at, from: from.clone() },
        Message::PhoneChanged { at, from: from.clone(), undo_link: LINK.to_owned() },
        Message::ChangeUndone { link: LINK.to_owned() },
        Message::AddressTakenBack { at },
        Message::NewDevice { at, from: from.clone(), device: device.clone() },
        Message::NewNetwork { at, from: from.clone(), device },
        Message::TokenTheft { at, from: from.clone() },
        Message::AccountClosed { at },
        Message::SecondFactorAdded { at, from: from.clone() },
        Message::SecondFactorRemoved { at, from: from.clone() },
        Message::SecondFactorMissing { at, from: from.clone() },
        Message::RecoveryCodesReplaced { at, from: from.clone() },
        Message::RecoveryCodeUsed { at, from, left: 9 },
    ]
}

async fn sent(messages: &[Message]) -> Vec<ironlatch_testkit::Received> {
    sent_for(messages, 1_440).await
}

async fn sent_for(messages: &[Message], minutes: u64) -> Vec<ironlatch_testkit::Received> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let inbox = Arc::new(Inbox::new());
    let auth = node(&url, &Arc::default(), inbox.clone()).await;
    let mut mails = Vec::new();
    for message in messages {
        write(&auth, "ada@example.com", message, minutes).await;
        auth.messages().deliver_due().await.unwrap();
        mails.push(inbox.latest("ada@example.com"));
    }
    assert_eq!(inbox.all().len(), messages.len());
    mails
}

#[tokio::test]
async fn the_verification_mail_says_what_the_contract_wants() {
    let mail = sent(&one_of_each()).await.swap_remove(0);
    assert_eq!(mail.subject, "Verify your email");
    assert_eq!(mail.from, "Ironlatch <noreply@localhost>");
    assert_eq!(mail.link(), LINK);
    for words in ["Hello", "confirm", "24 hours", "2 January 2026 at 00:00 UTC", "ignore this mail"]
    {
        assert!(mail.text.contains(words), "{words} is missing in the text:\n{}", mail.text);
        assert!(mail.html.contains(words), "{words} is missing in the HTML");
    }
    assert!(mail.html.contains(&format!("href=\"{}\"", LINK.replace('&', "&amp;"))));
}

#[tokio::test]
async fn the_mail_with_a_code_says_what_the_contract_wants() {
    let link = Some(LINK.to_owned());
    let with_link = Message::SignInCode { code: "042137".to_owned(), link };
    let without = Message::SignInCode { code: "042137".to_owned(), link: None };
    let mails = sent_for(&[with_link, without], 5).await;
    for mail in &mails {
        assert_eq!((mail.channel, mail.subject.as_str()), ("email", "Your verification code"));
        assert_eq!(mail.code(), "042137");
        for words in [
            "Your Verification Code",
            "Enter this code to complete your login:",
            "042137",
            "This code expires in 5 minutes.",
            "If you did not ask for this code, ignore this mail",
        ] {
            assert!(mail.text.contains(words), "{words} is missing in the text:\n{}", mail.text);
            assert!(mail.html.contains(words), "{words} is missing in the HTML");
        }
        assert!(mail.html.contains(">Your Verification Code</h1>"), "{}", mail.html);
    }
    assert_eq!(mails[0].link(), LINK);
    assert!(mails[0].html.contains(&format!("href=\"{}\"", LINK.replace('&', "&amp;"))));
    assert!(!mails[1].text.contains("://") && !mails[1].html.contains("href"));
}

#[tokio::test]
async fn the_mail_with_a_code_to_sign_up_names_the_product_and_holds_nothing_but_the_code() {
    let code = Message::SignUpCode { code: "042137".to_owned() };
    let mail = sent_for(&[code], 10).await.swap_remove(0);
    assert_eq!(mail.subject, "Email verification for Ironlatch");
    assert_eq!(mail.code(), "042137");
    for words in ["Your OTP for verification is:", "This code expires in 10 minutes.", "042137"] {
        assert!(mail.text.contains(words), "{words} is missing in the text:\n{}", mail.text);
        assert!(mail.html.contains(words), "{words} is missing in the HTML");
    }
    assert!(!mail.text.contains("://") && !mail.html.contains("href"));
}

#[tokio::test]
async fn b16_no_mail_repeats_markup_or_links_of_other_people() {
    for mail in sent(&one_of_each()).await {
        let subject = &mail.subject;
        assert!(!subject.contains(['\r', '\n']) && !subject.contains("tok"), "{subject}");
        assert!(!subject.contains("042137"), "{subject}");
        for part in [&mail.text, &mail.html] {
            for link in ["evil.example", "eve@evil", "https://evil"] {
                assert!(!part.contains(link), "{subject}: {link} in\n{part}");
            }
            assert!(!part.contains("{{") && !part.contains("{%"), "{subject}: {part}");
        }
        assert!(!mail.html.contains("<a href=\"https:\u{200B}"), "{subject}");
        assert!(!mail.text.contains("\nBcc"), "{subject}: {}", mail.text);
    }
}

#[tokio::test]
async fn mails_load_nothing_and_follow_nobody() {
    for mail in sent(&one_of_each()).await {
        for foreign in ["<img", "<script", "<link", "url(", "src=", "@import", "<iframe", "<form"] {
            assert!(!mail.html.contains(foreign), "{}: {foreign}", mail.subject);
        }
        let own = LINK.replace('&', "&amp;");
        assert!(!mail.html.replace(&own, "").contains("://"), "{}: a foreign URL", mail.subject);
    }
}

#[test]
fn nothing_of_a_message_shows_in_debug_output() {
    for message in one_of_each() {
        let shown = format!("{message:?}");
        assert!(!shown.contains("tok-en") && !shown.contains("example"), "{shown}");
        assert!(!shown.contains("042137"), "{shown}");
    }
}

fn load(folder: &Path) -> Result<(), Vec<String>> {
    load_with(folder, None)
}

fn load_with(folder: &Path, sms: Option<&Path>) -> Result<(), Vec<String>> {
    let settings = MailSettings {
        from: "Ironlatch <noreply@example.com>".to_owned(),
        product: "Ironlatch".to_owned(),
        templates: Some(folder.to_owned()),
    };
    let mistakes = |mistakes: Vec<ironlatch_core::settings::Mistake>| {
        mistakes
            .into_iter()
            .map(|mistake| format!("{}: {}", mistake.key, mistake.sentence))
            .collect()
    };
    let sms = SmsSettings { templates: sms.map(Path::to_owned), ..SmsSettings::default() };
    Templates::load(&settings, &sms).map(drop).map_err(mistakes)
}

#[test]
fn single_files_can_be_overridden_and_broken_ones_are_named_at_start() {
    let cases = [
        ("welcome.txt", "Ahoy {{ name }}!", None),
        ("layout.html", "<main>{% block content %}{% endblock %}</main>", None),
        ("welcome.txt", "Ahoy {{ nmae }}!", Some("welcome.txt")),
        ("welcome.txt", "Ahoy {{ name", Some("welcome.txt")),
        ("welcome.txt", "{{ name|upper }}", Some("welcome.txt")),
        ("welcome.txt", "{% for i in range(9) %}x{% endfor %}", Some("welcome.txt")),
        ("welcom.txt", "Ahoy!", Some("welcom.txt replaces nothing")),
        ("verify_email.txt", "no link", Some("verify_email.txt must contain {{ link }}")),
        ("verify_email.html", "no link", Some("verify_email.html must contain {{ link }}")),
        ("verify_email.subject", "Use {{ link }}", Some("verify_email.subject")),
        ("verify_email.subject", "two\nlines", Some("verify_email.subject must be one line")),
        ("verify_email.subject", "", Some("verify_email.subject must be one line")),
        ("sign_in_code.txt", "{{ link }}", Some("sign_in_code.txt must contain {{ code }}")),
        ("sign_in_code.subject", "{{ code }}", Some("sign_in_code.subject")),
        ("layout.html", "no block", Some("verify_email.html must contain {{ link }}")),
    ];
    for (name, text, complaint) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        match (load(folder.path()), complaint) {
            (Ok(()), None) => {}
            (Err(mistakes), Some(complaint)) => {
                let named = mistakes
                    .iter()
                    .any(|m| m.starts_with("mail.templates") && m.contains(complaint));
                assert!(named, "{name} {text:?}: {mistakes:?}");
            }
            (answer, _) => panic!("{name} {text:?}: {answer:?}"),
        }
    }
    assert!(load(Path::new("/nowhere/at/all")).is_err());
}

#[test]
fn texts_of_sms_can_be_overridden_and_broken_ones_are_named_at_start() {
    let long = format!("{{{{ code }}}}{}", "x".repeat(155));
    let name = "sign_in_code.txt";
    for (name, text, complaint) in [
        (name, "{{ product }}: {{ code }}\n\n@auth.example.com #{{ code }}", None),
        (name, "no code", Some("sign_in_code.txt must contain {{ code }}")),
        (name, "{{ cod }}", Some("sms/sign_in_code.txt")),
        (name, "{{ code }}\u{7}", Some("must be text of at most 160")),
        (name, &long, Some("must be text of at most 160")),
        ("sign_in_code.html", "{{ code }}", Some("sign_in_code.html replaces nothing")),
        ("welcome.txt", "{{ name }}", Some("welcome.txt replaces nothing")),
    ] {
        let (mails, sms) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(sms.path().join(name), text).unwrap();
        match (load_with(mails.path(), Some(sms.path())), complaint) {
            (Ok(()), None) => {}
            (Err(mistakes), Some(complaint)) => {
                let named = |m: &String| m.starts_with("sms.templates") && m.contains(complaint);
                assert!(mistakes.iter().any(named), "{name} {text:?}: {mistakes:?}");
            }
            (answer, _) => panic!("{name} {text:?}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_sender_that_is_no_address_is_refused_at_start() {
    for from in ["", "Ironlatch", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"] {
        let mut settings = ironlatch_testkit::cheap_settings();
        settings.mail.from = from.to_owned();
        let built = ironlatch_core::Auth::builder().settings(settings).master_key([1; 32]).build();
        let error = built.await.err().unwrap().to_string();
        assert!(error.contains("mail.from"), "{from:?}: {error}");
    }
}
