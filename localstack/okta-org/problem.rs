//! Errors as Okta words them.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub summary: String,
    pub cause: Option<String>,
    pub header: Option<(&'static str, String)>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, summary: impl Into<String>) -> Self {
        Self { status, code, summary: summary.into(), cause: None, header: None }
    }

    pub fn invalid(what: &str, cause: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "E0000001", format!("Api validation failed: {what}"));
        Self { cause: Some(cause.into()), ..problem }
    }

    pub fn search(cause: impl Into<String>) -> Self {
        let summary = "Invalid search criteria.";
        Self { cause: Some(cause.into()), ..Self::new(StatusCode::BAD_REQUEST, "E0000031", summary) }
    }

    pub fn filter(cause: impl Into<String>) -> Self {
        let summary = "Invalid filter";
        Self { cause: Some(cause.into()), ..Self::new(StatusCode::BAD_REQUEST, "E0000053", summary) }
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "E0000007", format!("Not found: Resource not found: {what}"))
    }

    pub fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "E0000011", "Invalid token provided")
    }

    pub fn no_session() -> Self {
        Self::new(StatusCode::FORBIDDEN, "E0000005", "Invalid session")
    }

    pub fn feature_off() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "E0000015",
            "You do not have permission to access the feature you are requesting",
        )
    }

    pub fn forbidden() -> Self {
        let summary = "You do not have permission to perform the requested action";
        Self::new(StatusCode::FORBIDDEN, "E0000006", summary)
    }

    pub fn method() -> Self {
        let summary = "The endpoint does not support the provided HTTP method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "E0000022", summary)
    }

    pub fn too_many() -> Self {
        let summary = "API call exceeded rate limit due to too many requests.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "E0000047", summary)
    }

    pub fn with_header(self, name: &'static str, value: String) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The reply; `id` is the error's own number.
    pub fn into_response(self, id: &str) -> Response {
        let causes: Vec<_> = self.cause.iter().map(|cause| json!({ "errorSummary": cause })).collect();
        let body = json!({
            "errorCode": self.code,
            "errorSummary": self.summary,
            "errorLink": self.code,
            "errorId": id,
            "errorCauses": causes,
        });
        let mut response = (self.status, Json(body)).into_response();
        if let Some((name, value)) = self.header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        response
    }
}
