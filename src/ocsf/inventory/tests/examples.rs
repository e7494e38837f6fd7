//! The examples of Okta's API description, where they are beside the checkout.

use std::io::{Seek as _, Write as _};
use std::process::{Command, Stdio};

use super::*;

/// What a response of the API holds: the name of the example begins so, and its objects are of this collection.
const RESPONSES: &[(&str, &str)] = &[
    ("APIDevicesListAllResponse", "devices"),
    ("APIDevicesListAllUserSummaryResponse", "devices"),
    ("DeviceResponse", "devices"),
    ("DeviceWithProvidersResponse", "devices"),
    ("list-user-example", "users"),
    ("ListUsersResponse", "users"),
    ("ListUsersSearchResponse", "users"),
    ("ListRealmAwareUsersResponse", "users"),
    ("create-user-with-password-response", "users"),
    ("APIDevicesListAllUsersResponse", "device_users"),
    ("list-groups-examples", "groups"),
    ("list-group-rules-example", "group_rules"),
    ("ListsOwnersMultipleResponse", "group_owners"),
    ("GetApplicationsByGroupResponseEx", "apps"),
    ("OpenidConnectResponseEx", "apps"),
    ("Saml2.0ResponseEx", "apps"),
    ("AppUserListEx", "app_users"),
    ("GroupAssignmentExListResponse", "app_groups"),
    ("AppFeatureListResponseEx", "app_features"),
    ("ListAppGrantsEx", "app_grants"),
    ("ListAllKeyCredentialsExample", "app_keys"),
    ("ListGroupPushMappingsResponse_Example", "app_group_push_mappings"),
    ("listFederatedClaimResponse", "app_federated_claims"),
    ("ListAppLinks", "user_app_links"),
    ("ListFactorsResults", "user_factors"),
    ("AuthenticatorEnrollmentResponseListAll", "user_authenticator_enrollments"),
    ("ListYubikeyOptTokensResponse", "yubikey_tokens"),
    ("AuthenticatorsResponse", "authenticators"),
    ("AuthenticatorMethodPhone", "authenticator_methods"),
    ("StandardAndCustomRolesListResponse", "role_assignments"),
    ("RoleAssignedUsersResponseExample", "admin_users"),
    ("RoleTargetGroupResponse", "role_targets"),
    ("RolesResponse", "custom_roles"),
    ("PermissionsResponse", "custom_role_permissions"),
    ("ResourceSetsResponse", "resource_sets"),
    ("ResourceSetResourcesResponse", "resource_set_resources"),
    ("ResourceSetBindingsResponse", "resource_set_bindings"),
    ("ResourceSetBindingMembersResponse", "resource_set_members"),
    ("GovernanceBundlesResponse", "governance_bundles"),
    ("MultipleIdPsResponse", "idps"),
    ("ListIdPUsersResponse", "idp_users"),
    ("MultipleIdPKeyCredentialsResponse", "idp_keys"),
    ("list-okta-sign-on-policy-response", "policies"),
    ("list-password-policy-response", "policies"),
    ("list-access-policy-response", "policies"),
    ("list-all-sign-on-policy-rule-response", "policy_rules"),
    ("list-all-mfa-enroll-policy-rule-response", "policy_rules"),
    ("policy-mapping-list-response", "policy_mappings"),
    ("DeviceAssuranceMacOSResponse", "device_assurances"),
    ("DevicePostureChecksMacOSResponse", "device_posture_checks"),
    ("DeviceIntegrationCrowdStrikeResponse", "device_integrations"),
    ("RetrieveAllZones", "zones"),
    ("BehaviorRuleResponse", "behaviors"),
    ("ThreatInsightResponseExample", "threat_insight"),
    ("ApiTokenListMetadataResponse", "api_tokens"),
    ("APIServiceIntegrationListResponse", "api_services"),
    ("ListAuthServersResponse", "authorization_servers"),
    ("ListAuthorizationServerPolicies", "authorization_server_policies"),
    ("ListAuthorizationServerPolicyRules", "authorization_server_policy_rules"),
    ("ExampleOAuth2Scopes", "authorization_server_scopes"),
    ("ListCustomTokenClaimsResponse", "authorization_server_claims"),
    ("ListClientsResponse", "authorization_server_clients"),
    ("RetrieveAllEventHooks", "event_hooks"),
    ("InlineHooktMgmtListAllexample", "inline_hooks"),
    ("ListAllKeysResponse", "hook_keys"),
    ("LogStreamGetAllResponse", "log_streams"),
    ("TrustedOriginsResponse", "trusted_origins"),
    ("ListBrandsResponse", "brands"),
    ("ListThemesResponse", "themes"),
    ("EmailDomainResponse", "email_domains"),
    ("ListBasicSMTPServer", "email_servers"),
    ("ListFeaturesResponse", "features"),
    ("OrgSettingResponse", "org_settings"),
    ("orgContactTypeResponse", "org_contacts"),
    ("CAPTCHAInstanceResponseReCaptcha", "captchas"),
    ("OrgCAPTCHASettingsConfigured", "captcha_settings"),
    ("ListLinkedObjects", "linked_objects"),
    ("ListsAllUserTypes", "user_types"),
    ("UserSchemaResponse", "user_schemas"),
    ("ListMappingsResponse", "profile_mappings"),
    ("ListRealmsResponse", "realms"),
    ("ListRealmAssignmentsResponse", "realm_assignments"),
    ("ListAllAgentPoolsResponse", "agent_pools"),
    ("ListOfSecurityEventsProviderInstances", "security_events_providers"),
    ("ListRiskProviderResponse", "risk_providers"),
    ("ListServiceAccounts", "service_accounts"),
    ("APIPushProvidersListAllResponse", "push_providers"),
    ("PrincipalRateLimitsSSWSListAllExample", "principal_rate_limits"),
];

/// The examples by name.
fn examples() -> Vec<(String, Value)> {
    let Some(file) = shared("data/corpus/inventory-openapi-examples/examples.ndjson") else { return Vec::new() };
    let read = |line: &str| {
        let mut example: Value = serde_json::from_str(line).unwrap();
        (example["name"].as_str().unwrap().to_owned(), example["value"].take())
    };
    std::fs::read_to_string(file).unwrap().lines().map(read).collect()
}

/// The objects of a response: itself, the elements of a list, or those of the list in it.
fn objects(response: &Value) -> Vec<&Value> {
    let in_object = |fields: &'_ serde_json::Map<String, Value>| {
        fields
            .iter()
            .any(|(key, field)| field.is_array() && fields.keys().all(|other| other == key || other == "_links"))
    };
    match response {
        Value::Array(items) => items.iter().filter(|item| item.is_object()).collect(),
        Value::Object(fields) if in_object(fields) => {
            fields.values().filter_map(Value::as_array).flatten().filter(|item| item.is_object()).collect()
        }
        Value::Object(_) => vec![response],
        _ => Vec::new(),
    }
}

#[test]
fn every_response_of_a_collection_is_mapped_by_its_row() {
    let examples = examples();
    let mut records = Vec::new();
    for (name, collection) in RESPONSES.iter().filter(|_| !examples.is_empty()) {
        let (_, response) = examples.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}"));
        let objects = objects(response);
        assert!(!objects.is_empty(), "{name}");
        for object in objects {
            let record = Case::new(collection, object.clone()).record();
            assert_eq!(record["metadata"]["event_code"], *collection);
            // Where nothing has a name, at least the id is one.
            let resource = &record["resources"][0];
            let is_known = record.get("user").or(record.get("device")).or(resource.get("name")).or(resource.get("uid"));
            assert!(is_known.is_some(), "{name}: {record:#}");
            records.push(record.to_string());
        }
    }
    another_validator_agrees(&records);
}

/// Whatever an example is, it is a valid record of anything that it can be taken for, or has no id.
#[test]
fn every_example_is_a_valid_record_or_has_no_id() {
    const ROWS: &[&str] = &[
        "users",
        "devices",
        "groups",
        "apps",
        "app_users",
        "app_groups",
        "app_features",
        "device_users",
        "idps",
        "linked_objects",
        "api_tokens",
        "email_domains",
        "threat_insight",
    ];
    let mut records = Vec::new();
    for (name, example) in examples() {
        for object in objects(&example) {
            for collection in ROWS {
                let case = Case::new(collection, object.clone());
                match case.bytes(KEPT) {
                    Ok(record) => {
                        assert_valid(&record, &case.0);
                        records.push(String::from_utf8(record).unwrap());
                    }
                    Err(error) => assert_eq!(error.reason(), "inventory_missing_id", "{name}: {error}"),
                }
            }
        }
    }
    another_validator_agrees(&records);
}

/// Asks the other strict validator, where there is one.
fn another_validator_agrees(records: &[String]) {
    let (Some(validator), Some(schema)) = (shared("tools/ocsf-validate"), shared("data/ocsf/ocsf-1.8.0.json")) else {
        return;
    };
    let mut input = tempfile::tempfile().unwrap();
    for record in records {
        writeln!(input, "{record}").unwrap();
    }
    input.rewind().unwrap();
    let output = Command::new(validator).arg("--schema").arg(schema).stdin(Stdio::from(input)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
