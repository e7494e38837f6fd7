//! Objects of the inventory as the Management API sends them, as far as the mapping gives their fields a place of
//! their own. The same leniency as for events: a section of another shape has no fields.
//!
//! Source: Okta Management API (developer.okta.com/docs/api), 2026.06.3.

use super::section::section;

section! {
    /// A user (`GET /api/v1/users`).
    User {
        id: "id",
        status: "status",
        created: "created",
        activated: "activated",
        status_changed: "statusChanged",
        last_login: "lastLogin",
        last_updated: "lastUpdated",
        password_changed: "passwordChanged",
        profile: "profile",
        credentials: "credentials",
    }
}

section! {
    /// The attributes of a user's profile that every org has, and those by which orgs commonly add employment data.
    UserProfile {
        login: "login",
        email: "email",
        second_email: "secondEmail",
        first_name: "firstName",
        last_name: "lastName",
        display_name: "displayName",
        title: "title",
        user_type: "userType",
        employee_number: "employeeNumber",
        cost_center: "costCenter",
        organization: "organization",
        division: "division",
        department: "department",
        manager_id: "managerId",
        manager: "manager",
        mobile_phone: "mobilePhone",
        primary_phone: "primaryPhone",
        city: "city",
        state: "state",
        zip_code: "zipCode",
        country_code: "countryCode",
        hire_date: "hireDate",
        start_date: "startDate",
        termination_date: "terminationDate",
    }
}

section! {
    /// How a user proves who they are to Okta.
    Credentials {
        password: "password",
        provider: "provider",
    }
}

section! {
    /// A group (`GET /api/v1/groups`, `/api/v1/users/{id}/groups`).
    Group {
        id: "id",
        kind: "type",
        profile: "profile",
    }
}

section! {
    /// What a group is called.
    GroupProfile {
        name: "name",
        description: "description",
    }
}

section! {
    /// A factor of a user (`/api/v1/users/{id}/factors`), or an enrollment of an authenticator
    /// (`/api/v1/users/{id}/authenticator-enrollments`).
    Factor {
        status: "status",
        factor_type: "factorType",
        kind: "type",
        key: "key",
    }
}

section! {
    /// A role that is assigned (`/api/v1/users/{id}/roles`).
    RoleAssignment {
        status: "status",
    }
}

section! {
    /// A device (`GET /api/v1/devices`).
    Device {
        id: "id",
        status: "status",
        created: "created",
        last_updated: "lastUpdated",
        profile: "profile",
        resource_id: "resourceId",
        resource_display_name: "resourceDisplayName",
        embedded: "_embedded",
    }
}

section! {
    /// What is known of a device.
    DeviceProfile {
        display_name: "displayName",
        platform: "platform",
        os_version: "osVersion",
        manufacturer: "manufacturer",
        model: "model",
        serial_number: "serialNumber",
        imei: "imei",
        meid: "meid",
        udid: "udid",
        sid: "sid",
        managed: "managed",
        registered: "registered",
        secure_hardware_present: "secureHardwarePresent",
        disk_encryption_type: "diskEncryptionType",
        integrity_jailbreak: "integrityJailbreak",
        tpm_public_key_hash: "tpmPublicKeyHash",
    }
}

section! {
    /// The name of a device, once more.
    DisplayName {
        value: "value",
    }
}

section! {
    /// What `expand=user` or `expand=userSummary` adds to a device.
    DeviceEmbedded {
        users: "users",
    }
}

section! {
    /// A user of a device.
    DeviceUser {
        management_status: "managementStatus",
        screen_lock_type: "screenLockType",
        created: "created",
        user: "user",
    }
}

section! {
    /// An identity provider (`GET /api/v1/idps`).
    IdentityProvider {
        id: "id",
        name: "name",
        status: "status",
        created: "created",
        last_updated: "lastUpdated",
        protocol: "protocol",
        policy: "policy",
    }
}

section! {
    /// How Okta and an identity provider speak.
    Protocol {
        kind: "type",
        endpoints: "endpoints",
        issuer: "issuer",
        scopes: "scopes",
        credentials: "credentials",
    }
}

section! {
    /// Where an identity provider listens.
    Endpoints {
        sso: "sso",
        authorization: "authorization",
        slo: "slo",
    }
}

section! {
    /// Something with an address.
    Endpoint {
        url: "url",
    }
}

section! {
    /// By what an identity provider is trusted.
    ProtocolCredentials {
        trust: "trust",
    }
}

section! {
    /// The issuer that is trusted.
    Trust {
        issuer: "issuer",
    }
}

section! {
    /// What follows from a sign-in at an identity provider.
    IdentityProviderPolicy {
        provisioning: "provisioning",
    }
}

section! {
    /// Whether users and their groups are created and updated at a sign-in.
    Provisioning {
        action: "action",
        groups: "groups",
    }
}

section! {
    /// Whether groups are taken over.
    ProvisioningGroups {
        action: "action",
    }
}

section! {
    /// The schema of the profile of a type of user (`GET /api/v1/meta/schemas/user/{id}`).
    UserSchema {
        definitions: "definitions",
    }
}

section! {
    /// A part of a schema: the attributes that every org has (`base`), or those that an org added (`custom`).
    SchemaDefinition {
        properties: "properties",
        required: "required",
    }
}
