/// The OCSF classes that records are published as; each has its own topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are OCSF's
pub enum Class {
    /// The valid home of what has no class of its own.
    BaseEvent,
    DetectionFinding,
    AccountChange,
    Authentication,
    AuthorizeSession,
    EntityManagement,
    UserAccess,
    GroupManagement,
    HttpActivity,
    EmailActivity,
    InventoryInfo,
    UserInventory,
    CloudResourcesInventoryInfo,
    WebResourcesActivity,
    ApplicationLifecycle,
    ApiActivity,
    ScanActivity,
    ApplicationError,
}

impl Class {
    /// Every class, in the order of their uids.
    pub const ALL: [Self; 18] = [
        Self::BaseEvent,
        Self::DetectionFinding,
        Self::AccountChange,
        Self::Authentication,
        Self::AuthorizeSession,
        Self::EntityManagement,
        Self::UserAccess,
        Self::GroupManagement,
        Self::HttpActivity,
        Self::EmailActivity,
        Self::InventoryInfo,
        Self::UserInventory,
        Self::CloudResourcesInventoryInfo,
        Self::WebResourcesActivity,
        Self::ApplicationLifecycle,
        Self::ApiActivity,
        Self::ScanActivity,
        Self::ApplicationError,
    ];

    /// The class with a schema name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The schema's name of the class, as topics use it.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// `class_uid` of the schema.
    pub fn uid(self) -> u32 {
        self.facts().1
    }

    /// `class_name`: the caption.
    pub fn caption(self) -> &'static str {
        self.facts().2
    }

    /// `category_uid` and `category_name`.
    pub fn category(self) -> (u8, &'static str) {
        match self.uid() / 1000 {
            2 => (2, "Findings"),
            3 => (3, "Identity & Access Management"),
            4 => (4, "Network Activity"),
            5 => (5, "Discovery"),
            6 => (6, "Application Activity"),
            _ => (0, "Uncategorized"),
        }
    }

    /// Whether records of it describe what there is, not what happened.
    pub fn is_inventory(self) -> bool {
        self.category().0 == 5
    }

    /// Whether events are mapped to it: not what describes the inventory, and how it was read.
    pub fn is_of_events(self) -> bool {
        !self.is_inventory() && self != Self::ScanActivity
    }

    fn facts(self) -> (&'static str, u32, &'static str) {
        match self {
            Self::BaseEvent => ("base_event", 0, "Base Event"),
            Self::DetectionFinding => ("detection_finding", 2004, "Detection Finding"),
            Self::AccountChange => ("account_change", 3001, "Account Change"),
            Self::Authentication => ("authentication", 3002, "Authentication"),
            Self::AuthorizeSession => ("authorize_session", 3003, "Authorize Session"),
            Self::EntityManagement => ("entity_management", 3004, "Entity Management"),
            Self::UserAccess => ("user_access", 3005, "User Access Management"),
            Self::GroupManagement => ("group_management", 3006, "Group Management"),
            Self::HttpActivity => ("http_activity", 4002, "HTTP Activity"),
            Self::EmailActivity => ("email_activity", 4009, "Email Activity"),
            Self::InventoryInfo => ("inventory_info", 5001, "Device Inventory Info"),
            Self::UserInventory => ("user_inventory", 5003, "User Inventory Info"),
            Self::CloudResourcesInventoryInfo => {
                ("cloud_resources_inventory_info", 5023, "Cloud Resources Inventory Info")
            }
            Self::WebResourcesActivity => ("web_resources_activity", 6001, "Web Resources Activity"),
            Self::ApplicationLifecycle => ("application_lifecycle", 6002, "Application Lifecycle"),
            Self::ApiActivity => ("api_activity", 6003, "API Activity"),
            Self::ScanActivity => ("scan_activity", 6007, "Scan Activity"),
            Self::ApplicationError => ("application_error", 6008, "Application Error"),
        }
    }
}
