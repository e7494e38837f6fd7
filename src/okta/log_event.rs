//! The System Log event as Okta sends it: its sections and fields by name, as places in a read text.
//!
//! Okta calls little of it a contract, so reading is lenient: a section of another shape has no fields, and what kind
//! of value a field holds is for its user to judge. Nothing is converted here and nothing can fail.
//!
//! Source: System Log API, `LogEvent` (developer.okta.com/docs/api), and the event types catalogue for `debugData`.

use super::section::section;

section! {
    /// One System Log event.
    LogEvent {
        actor: "actor",
        client: "client",
        device: "device",
        authentication_context: "authenticationContext",
        display_message: "displayMessage",
        event_type: "eventType",
        outcome: "outcome",
        published: "published",
        security_context: "securityContext",
        severity: "severity",
        debug_context: "debugContext",
        legacy_event_type: "legacyEventType",
        transaction: "transaction",
        uuid: "uuid",
        version: "version",
        request: "request",
        target: "target",
    }
}

section! {
    /// Who did it (`actor`), or what it was done to (`target[]`): a user, an app, a policy, an address …
    Party {
        id: "id",
        kind: "type",
        alternate_id: "alternateId",
        display_name: "displayName",
        detail_entry: "detailEntry",
        change_details: "changeDetails",
    }
}

section! {
    /// What changed in a target.
    ChangeDetails {
        from: "from",
        to: "to",
    }
}

section! {
    /// Details of a target; which there are depends on its type.
    DetailEntry {
        method_type_used: "methodTypeUsed",
        policy_type: "policyType",
        okta_device_id: "oktaDeviceId",
        os_platform: "osPlatform",
        os_version: "osVersion",
        managed: "managed",
        expires: "expires",
    }
}

section! {
    /// Where the request came from.
    Client {
        user_agent: "userAgent",
        zone: "zone",
        device: "device",
        id: "id",
        ip_address: "ipAddress",
        geographical_context: "geographicalContext",
    }
}

section! {
    /// The program that sent the request.
    UserAgent {
        raw_user_agent: "rawUserAgent",
        os: "os",
        browser: "browser",
    }
}

section! {
    /// Where an address is.
    GeographicalContext {
        city: "city",
        state: "state",
        country: "country",
        postal_code: "postalCode",
        geolocation: "geolocation",
    }
}

section! {
    /// A point on earth, in degrees.
    Geolocation {
        lat: "lat",
        lon: "lon",
    }
}

section! {
    /// How the actor proved to be who they are.
    AuthenticationContext {
        authentication_provider: "authenticationProvider",
        credential_provider: "credentialProvider",
        credential_type: "credentialType",
        issuer: "issuer",
        interface: "interface",
        authentication_step: "authenticationStep",
        root_session_id: "rootSessionId",
        external_session_id: "externalSessionId",
    }
}

section! {
    /// Who vouches for the actor.
    Issuer {
        id: "id",
        kind: "type",
    }
}

section! {
    /// What is known of the client's address and of the risk of the request.
    SecurityContext {
        as_number: "asNumber",
        as_org: "asOrg",
        isp: "isp",
        domain: "domain",
        is_proxy: "isProxy",
        risk: "risk",
        user_behaviors: "userBehaviors",
        ip_details: "ipDetails",
        bot_protection: "botProtection",
    }
}

section! {
    /// A risk, wherever Okta writes one as an object.
    Risk {
        level: "level",
        reasons: "reasons",
        detection_name: "detectionName",
    }
}

section! {
    /// How it ended.
    Outcome {
        result: "result",
        reason: "reason",
    }
}

section! {
    /// What ties the events of one request or job together.
    Transaction {
        kind: "type",
        id: "id",
        detail: "detail",
    }
}

section! {
    /// More about a transaction.
    TransactionDetail {
        request_api_token_id: "requestApiTokenId",
        root_api_token_id: "rootApiTokenId",
    }
}

section! {
    /// The addresses that a request passed.
    Request {
        ip_chain: "ipChain",
    }
}

section! {
    /// One address that a request passed.
    IpAddress {
        ip: "ip",
    }
}

section! {
    /// The device that a request came from, if it is registered or managed.
    Device {
        id: "id",
        name: "name",
        os_platform: "os_platform",
        os_version: "os_version",
        managed: "managed",
        registered: "registered",
        disk_encryption_type: "disk_encryption_type",
        screen_lock_type: "screen_lock_type",
        jailbreak: "jailbreak",
        secure_hardware_present: "secure_hardware_present",
        device_integrator: "device_integrator",
    }
}

section! {
    /// The envelope of `debugData`.
    DebugContext {
        debug_data: "debugData",
    }
}

section! {
    /// The part of `debugData` that has a place in OCSF. Okta writes nearly everything in it as text.
    DebugData {
        request_id: "requestId",
        request_uri: "requestUri",
        url: "url",
        risk: "risk",
        risk_level: "riskLevel",
        risk_reasons: "riskReasons",
        behaviors: "behaviors",
        log_only_security_data: "logOnlySecurityData",
        threat_suspected: "threatSuspected",
        threat_detections: "threatDetections",
        partner_risk: "partnerRisk",
        tunnels: "tunnels",
        proxy_type: "proxyType",
        associated_proxies: "associatedProxies",
        anonymizer_status: "anonymizerStatus",
        sign_on_mode: "signOnMode",
        factor: "factor",
        factor_type: "factorType",
        phone_number: "phoneNumber",
        privilege_granted: "privilegeGranted",
        privilege_revoked: "privilegeRevoked",
        granted_scopes: "grantedScopes",
        requested_scopes: "requestedScopes",
        scopes: "scopes",
        grant_type: "grantType",
        client_auth_type: "clientAuthType",
        error_message: "errorMessage",
        error_code: "errorCode",
    }
}
