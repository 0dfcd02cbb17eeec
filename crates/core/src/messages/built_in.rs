//! Our own texts, built into the program.

/// Every text of an SMS. The names have a folder, as the same message may have a mail.
pub(super) const SMS: [(&str, &str); 1] =
    [("sms/sign_in_code.txt", include_str!("../../templates/sms/sign_in_code.txt"))];

/// Every file a mail is made of.
pub(super) const MAIL: [(&str, &str); 44] = [
    ("layout.html", include_str!("../../templates/mail/layout.html")),
    ("button.html", include_str!("../../templates/mail/button.html")),
    ("verify_email.subject", include_str!("../../templates/mail/verify_email.subject")),
    ("verify_email.txt", include_str!("../../templates/mail/verify_email.txt")),
    ("verify_email.html", include_str!("../../templates/mail/verify_email.html")),
    ("already_registered.subject", include_str!("../../templates/mail/already_registered.subject")),
    ("already_registered.txt", include_str!("../../templates/mail/already_registered.txt")),
    ("already_registered.html", include_str!("../../templates/mail/already_registered.html")),
    ("sign_in_code.subject", include_str!("../../templates/mail/sign_in_code.subject")),
    ("sign_in_code.txt", include_str!("../../templates/mail/sign_in_code.txt")),
    ("sign_in_code.html", include_str!("../../templates/mail/sign_in_code.html")),
    ("reset_password.subject", include_str!("../../templates/mail/reset_password.subject")),
    ("reset_password.txt", include_str!("../../templates/mail/reset_password.txt")),
    ("reset_password.html", include_str!("../../templates/mail/reset_password.html")),
    ("welcome.subject", include_str!("../../templates/mail/welcome.subject")),
    ("welcome.txt", include_str!("../../templates/mail/welcome.txt")),
    ("welcome.html", include_str!("../../templates/mail/welcome.html")),
    ("password_changed.subject", include_str!("../../templates/mail/password_changed.subject")),
    ("password_changed.txt", include_str!("../../templates/mail/password_changed.txt")),
    ("password_changed.html", include_str!("../../templates/mail/password_changed.html")),
    ("new_device.subject", include_str!("../../templates/mail/new_device.subject")),
    ("new_device.txt", include_str!("../../templates/mail/new_device.txt")),
    ("new_device.html", include_str!("../../templates/mail/new_device.html")),
    ("new_network.subject", include_str!("../../templates/mail/new_network.subject")),
    ("new_network.txt", include_str!("../../templates/mail/new_network.txt")),
    ("new_network.html", include_str!("../../templates/mail/new_network.html")),
    ("token_theft.subject", include_str!("../../templates/mail/token_theft.subject")),
    ("token_theft.txt", include_str!("../../templates/mail/token_theft.txt")),
    ("token_theft.html", include_str!("../../templates/mail/token_theft.html")),
    ("account_closed.subject", include_str!("../../templates/mail/account_closed.subject")),
    ("account_closed.txt", include_str!("../../templates/mail/account_closed.txt")),
    ("account_closed.html", include_str!("../../templates/mail/account_closed.html")),
    (
        "second_factor_added.subject",
        include_str!("../../templates/mail/second_factor_added.subject"),
    ),
    ("second_factor_added.txt", include_str!("../../templates/mail/second_factor_added.txt")),
    ("second_factor_added.html", include_str!("../../templates/mail/second_factor_added.html")),
    (
        "second_factor_removed.subject",
        include_str!("../../templates/mail/second_factor_removed.subject"),
    ),
    ("second_factor_removed.txt", include_str!("../../templates/mail/second_factor_removed.txt")),
    ("second_factor_removed.html", include_str!("../../templates/mail/second_factor_removed.html")),
    (
        "recovery_codes_replaced.subject",
        include_str!("../../templates/mail/recovery_codes_replaced.subject"),
    ),
    (
        "recovery_codes_replaced.txt",
        include_str!("../../templates/mail/recovery_codes_replaced.txt"),
    ),
    (
        "recovery_codes_replaced.html",
        include_str!("../../templates/mail/recovery_codes_replaced.html"),
    ),
    ("recovery_code_used.subject", include_str!("../../templates/mail/recovery_code_used.subject")),
    ("recovery_code_used.txt", include_str!("../../templates/mail/recovery_code_used.txt")),
    ("recovery_code_used.html", include_str!("../../templates/mail/recovery_code_used.html")),
];
