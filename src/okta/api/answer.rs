use std::ops::Range;

use super::fault::{Verdict, excerpt};
use super::request::{Request, Shape};
use super::transport::Reply;
use super::{classify, link};
use crate::json::{Kind, Tape, Value};
use reqwest::Url;

/// A page, or one object, as the org sent it.
#[derive(Debug)]
pub struct Answer {
    body: Vec<u8>,
    objects: Vec<Span>,
    /// The next page. When the System Log is polled there always is one, at its end the same page again.
    pub next: Option<Request>,
    /// When the request was sent, by Okta's clock, in milliseconds since the Unix epoch: what the answer says was so
    /// at some time between this and [`Answer::answered_ms`].
    pub asked_ms: i64,
    /// When all of the answer had come, by Okta's clock.
    pub answered_ms: i64,
    /// `X-Okta-Request-Id`.
    pub request_id: Option<String>,
}

#[derive(Debug)]
struct Span {
    json: Range<usize>,
    id: Option<String>,
}

/// One object of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// Its id, if it has one.
    pub id: Option<&'a str>,
    /// Its JSON as it was received, byte for byte.
    pub json: &'a [u8],
}

impl Answer {
    /// The objects, in their order.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = Object<'_>> {
        self.objects
            .iter()
            .map(|span| Object { id: span.id.as_deref(), json: self.body.get(span.json.clone()).unwrap_or_default() })
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes a successful reply apart.
    pub(super) fn new(request: &Request, origin: &Url, reply: Reply) -> Result<Self, Verdict> {
        let mut tape = Tape::default();
        let document = tape.read(&reply.body).map_err(|fault| not_json(&reply, &fault.to_string()))?;
        let objects = objects(document.root(), request)?;
        let links = reply.headers.get_all(reqwest::header::LINK).iter().filter_map(|header| header.to_str().ok());
        let in_body = || document.root().get("_links")?.get("next")?.get("href")?.as_str();
        // A single object may have links of that name which are not pages.
        let next = match (link::target(links, "next"), request.shape()) {
            (Some(target), _) => Some(request.next(target, origin)?),
            (None, Shape::Named(_)) => in_body().map(|target| request.next(&target, origin)).transpose()?,
            (None, Shape::List | Shape::One) => None,
        };
        Ok(Self {
            objects,
            next,
            asked_ms: reply.asked_ms,
            answered_ms: reply.answered_ms,
            request_id: reply.request_id(),
            body: reply.body,
        })
    }
}

fn not_json(reply: &Reply, fault: &str) -> Verdict {
    let kind = reply.headers.get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let promised = kind.is_some_and(|kind| kind.contains("json")) && !reply.body.is_empty();
    Verdict::NotJson(if promised { excerpt(fault) } else { classify::kind(&reply.headers, &reply.body) })
}

fn objects(root: Value<'_>, request: &Request) -> Result<Vec<Span>, Verdict> {
    let shape = |what: &str| Verdict::NotJson(format!("JSON, but {what}"));
    let list = match request.shape() {
        Shape::One if root.kind() == Kind::Object => return Ok(vec![span(root, request)]),
        Shape::One => return Err(shape("not an object")),
        Shape::List => root,
        Shape::Named(key) => root.get(key).ok_or_else(|| shape(&format!("without {key:?}")))?,
    };
    if list.kind() != Kind::Array {
        return Err(shape("not a list"));
    }
    let mut objects = Vec::new();
    for object in list.children() {
        if object.kind() != Kind::Object {
            return Err(shape("a list of something else than objects"));
        }
        objects.push(span(object, request));
    }
    Ok(objects)
}

fn span(object: Value<'_>, request: &Request) -> Span {
    let id = object.get(request.object_id_key()).and_then(|id| id.as_str());
    Span { json: object.range(), id: id.map(|id| id.into_owned()) }
}
