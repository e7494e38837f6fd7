//! The enumerated values of OCSF 1.8.0 that records use, with their captions. A test compares them with the schema.

/// A value of an enumeration and its caption.
pub type Choice = (u8, &'static str);

/// `auth_protocol_id`.
pub const PROTOCOLS: &[Choice] = &[
    (1, "NTLM"),
    (2, "Kerberos"),
    (3, "Digest"),
    (4, "OpenID"),
    (5, "SAML"),
    (6, "OAUTH 2.0"),
    (7, "PAP"),
    (8, "CHAP"),
    (9, "EAP"),
    (10, "RADIUS"),
    (11, "Basic Authentication"),
    (12, "LDAP"),
];

/// `auth_factor.factor_type_id`.
pub const FACTORS: &[Choice] = &[
    (1, "SMS"),
    (2, "Security Question"),
    (3, "Phone Call"),
    (4, "Biometric"),
    (5, "Push Notification"),
    (6, "Hardware Token"),
    (7, "OTP"),
    (8, "Email"),
    (9, "U2F"),
    (10, "WebAuthn"),
    (11, "Password"),
];

/// `authentication_token.type_id`.
pub const TOKENS: &[Choice] = &[
    (1, "Ticket Granting Ticket"),
    (2, "Service Ticket"),
    (3, "Identity Token"),
    (4, "Refresh Token"),
    (5, "SAML Assertion"),
    (6, "Client Token"),
    (7, "API Token"),
];

/// `disposition_id`.
pub const DISPOSITIONS: &[Choice] = &[
    (1, "Allowed"),
    (2, "Blocked"),
    (14, "Delayed"),
    (15, "Detected"),
    (16, "No Action"),
    (19, "Alert"),
    (23, "Challenge"),
    (24, "Access Revoked"),
    (25, "Rejected"),
    (26, "Unauthorized"),
    (27, "Error"),
];

/// The kinds of `managed_entity.type_id`.
pub const ENTITIES: &[Choice] =
    &[(1, "Device"), (2, "User"), (3, "Group"), (4, "Organization"), (5, "Policy"), (6, "Email"), (7, "Network Zone")];

/// The value with a caption.
pub fn by_caption(choices: &'static [Choice], caption: &str) -> Option<Choice> {
    choices.iter().copied().find(|(_, known)| *known == caption)
}

/// What an observable is (`observable.type_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Observable {
    IpAddress,
    UserName,
    EmailAddress,
    ResourceUid,
    Country,
    UserAgent,
    UserUid,
    GroupName,
    GroupUid,
    ResourceName,
    DeviceUid,
    Serial,
    AccountName,
    AccountUid,
    /// An id for which the schema has no kind of its own: of an entity, a service, an application, a policy.
    OtherUid,
}

impl Observable {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 15] = [
        Self::IpAddress,
        Self::UserName,
        Self::EmailAddress,
        Self::ResourceUid,
        Self::Country,
        Self::UserAgent,
        Self::UserUid,
        Self::GroupName,
        Self::GroupUid,
        Self::ResourceName,
        Self::DeviceUid,
        Self::Serial,
        Self::AccountName,
        Self::AccountUid,
        Self::OtherUid,
    ];

    /// What stands between the name and the value of an observable.
    pub fn fragment(self) -> &'static str {
        match self {
            Self::IpAddress => r#"","type_id":2,"type":"IP Address","value":""#,
            Self::UserName => r#"","type_id":4,"type":"User Name","value":""#,
            Self::EmailAddress => r#"","type_id":5,"type":"Email Address","value":""#,
            Self::ResourceUid => r#"","type_id":10,"type":"Resource UID","value":""#,
            Self::Country => r#"","type_id":14,"type":"Country","value":""#,
            Self::UserAgent => r#"","type_id":16,"type":"HTTP User-Agent","value":""#,
            Self::UserUid => r#"","type_id":31,"type":"User Object: uid","value":""#,
            Self::GroupName => r#"","type_id":32,"type":"Group Object: name","value":""#,
            Self::GroupUid => r#"","type_id":33,"type":"Group Object: uid","value":""#,
            Self::ResourceName => r#"","type_id":38,"type":"Resource Details Object: name","value":""#,
            Self::DeviceUid => r#"","type_id":47,"type":"Device Object: uid","value":""#,
            Self::AccountName => r#"","type_id":34,"type":"Account Object: name","value":""#,
            Self::AccountUid => r#"","type_id":35,"type":"Account Object: uid","value":""#,
            Self::OtherUid => r#"","type_id":99,"type":"Object: uid","value":""#,
            Self::Serial => r#"","type_id":37,"type":"Serial Number","value":""#,
        }
    }
}
