//! Every intended difference from the original, by name. An exchange that is not listed must
//! agree; one that is listed must differ in just these parts and show just this instead.

/// One exchange that is answered otherwise, on purpose.
pub(super) struct Difference {
    /// Its name in the observation; those of the second file begin with `body: `.
    pub(super) exchange: &'static str,
    /// The parts that differ.
    pub(super) differs: &'static str,
    /// What the answer shows: status and body, or a piece of a cookie.
    pub(super) instead: &'static str,
    /// Why.
    pub(super) why: &'static str,
}

pub(super) const fn differs(
    exchange: &'static str,
    differs: &'static str,
    instead: &'static str,
    why: &'static str,
) -> Difference {
    Difference { exchange, differs, instead, why }
}

pub(super) const HEADERS_OF_A_FAULT: &str = "the original answered a server error in HTML; a bad value is \
                                  the client's mistake and is told in the contract's shape";
const REFRESH_COOKIE: &str = "the contract's text and diagrams put the refresh token into an \
                              HttpOnly cookie, which its code never set (auth-api, section 1); \
                              the known-device cookie keeps strangers from locking owners out";

const GENERAL: &str = "what the provider said stays in the log (auth-api, section 6, row 6)";
const DEVICE: &str = "the known-device cookie keeps strangers from locking owners out";

pub(super) const DIFFERENCES: [Difference; 22] = [
    differs(
        "register ok",
        "cookies",
        "__Host-ironlatch_sign_up=<secret>",
        "the verification page knows the browser that signed up (design, section 7)",
    ),
    differs(
        "register dup email diff case",
        "status body",
        r#"400 {"email":["user with this email already exists."]}"#,
        "addresses are compared in lower case (auth-api, section 1)",
    ),
    differs(
        "verify garbage",
        "status body allow content-type vary",
        r#"400 {"detail":"Invalid token"}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs("login before verify", "cookies", "refresh_token=<JWT>", REFRESH_COOKIE),
    differs(
        "verify again",
        "status body",
        r#"200 {"message":"Email verified"}"#,
        "the same link answers the same for ten minutes (auth-api, section 6, row 10)",
    ),
    differs("login ok", "cookies", "refresh_token=<JWT>", REFRESH_COOKIE),
    differs(
        "refresh body only",
        "status body",
        r#"200 {"access":"<JWT>","refresh":"<JWT>"}"#,
        "a key `refresh` in the body is the other contract's call (contracts, README)",
    ),
    differs(
        "refresh ok",
        "cookies",
        "refresh_token=<JWT>",
        "refresh tokens rotate by the rule of design, section 5 (auth-api, section 6, row 8)",
    ),
    differs(
        "refresh after logout with old cookie",
        "status body www-authenticate",
        r#"401 {"detail":"Invalid refresh token","code":"token_not_valid"}"#,
        "logout ends the session (auth-api, section 6, row 7)",
    ),
    differs(
        "logout w bad bearer",
        "status body www-authenticate cookies",
        r#"200 {"detail":"Logged out"}"#,
        "logout always answers 200; a bad bearer token is ignored (contracts, README)",
    ),
    differs(
        "register w bad bearer",
        "status body www-authenticate",
        r#"400 {"username":["This field is required."]"#,
        "a bad bearer token is ignored on every public endpoint (contracts, README)",
    ),
    differs(
        "social code exchange fails",
        "body",
        r#"400 {"detail":"Code exchange failed","error":"The provider did not accept the code."}"#,
        GENERAL,
    ),
    differs(
        "social fetch fails",
        "body",
        r#"{"detail":"Failed to fetch user from provider","error":"The provider did not say who this is."}"#,
        GENERAL,
    ),
    differs("social github new", "cookies", "__Host-ironlatch_device=<secret>", DEVICE),
    differs("social github again", "cookies", "__Host-ironlatch_device=<secret>", DEVICE),
    differs(
        "social github no email",
        "body cookies",
        r#""email":"github_43@users.noreply.invalid","email_verified":false}"#,
        "no address at a domain of somebody's is made up (auth-api, section 6, row 3)",
    ),
    differs(
        "social list body",
        "status body allow content-type vary",
        r#"400 {"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#,
        HEADERS_OF_A_FAULT,
    ),
    differs(
        "refresh cookie",
        "cookies",
        "refresh_token=<JWT>",
        "refresh tokens rotate by the rule of design, section 5 (auth-api, section 6, row 8)",
    ),
    differs(
        "malformed",
        "body",
        r#"400 {"detail":"JSON parse error - "#,
        "Python's wording is not reproduced beyond its prefix (ruling 7)",
    ),
    differs(
        "no slash",
        "status body allow content-type vary location",
        r#"400 {"email":["This field is required."]"#,
        "paths without the slash are served directly, not redirected (ruling 2)",
    ),
    differs(
        "body: refresh reuse",
        "status body www-authenticate",
        r#"200 {"access":"<JWT>","refresh":"<JWT>"}"#,
        "the parent of tokens nobody has used yet gets a child of its own: two tabs, a retry and \
         a lost answer are no theft (design, section 5)",
    ),
    differs(
        "body: refresh deleted",
        "status body allow content-type vary www-authenticate",
        r#"401 {"detail":"No active account found for the given token."}"#,
        HEADERS_OF_A_FAULT,
    ),
];
