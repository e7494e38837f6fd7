//! Why a request brought no answer, from the chain of the HTTP client's error.

use std::error::Error;
use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::fault::{Reach, Verdict, excerpt};

/// Resolves names as the system does, with an error that can be told from those of a connection.
pub(super) struct Resolver;

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoAddress(io::Error);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The client puts the port of the URL in its place.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(NoAddress)?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// What an error of the HTTP client means.
pub(super) fn verdict(error: &reqwest::Error) -> Verdict {
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    let detail = excerpt(&causes().last().map_or_else(|| "no reason given".to_owned(), ToString::to_string));
    if causes().any(|cause| cause.is::<NoAddress>()) {
        return Verdict::Unreachable(Reach::Name(detail));
    }
    if !error.is_connect() {
        return Verdict::Unreachable(Reach::Broken(detail));
    }
    let tls = causes().filter_map(|cause| cause.downcast_ref()).any(is_tls);
    Verdict::Unreachable(if tls { Reach::Tls(detail) } else { Reach::Connect(detail) })
}

/// rustls says by these kinds of error that the other side is not acceptable, or no TLS server. The connector wraps
/// them once more, where the chain of causes does not show them.
fn is_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.map_or(matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof), is_tls)
}
