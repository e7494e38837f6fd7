//! Faults on demand: the next calls to a path go wrong in a chosen way.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 500 E0000009.
    InternalError,
    /// 503 with an HTML page, as a load balancer writes it.
    Unavailable,
    /// 503 E0000010.
    ReadOnly,
    /// 500 E0000009 after 30 seconds of the org's time: the query took too long.
    TooHeavy,
    /// No reply for five minutes of the machine's time.
    Timeout,
    /// 200 with an HTML page.
    Html,
    /// The right reply without its last half.
    Truncated,
    /// The right reply with a pause in its middle, of 20 seconds of the org's time.
    SlowBody,
    /// The next link leads to another host.
    ForeignNext,
    /// The next link is the page's own.
    SelfNext,
    /// A valid array of 64 MiB.
    Huge,
    /// 400 E0000001, as for a cursor that has expired.
    StaleCursor,
    /// 429 without any rate limit headers.
    TooManyWithoutReset,
    /// 429 with a reset an hour off.
    TooManyForLong,
    /// 429 as for too many calls at once.
    TooConcurrent,
    /// 403 E0000006.
    Forbidden,
    /// 401 E0000011.
    Unauthorized,
    /// 401 E0000015.
    FeatureOff,
    /// 404 E0000007.
    NotFound,
    /// An empty list without a next link, with status 200.
    Empty,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Calls whose path begins with this; with a `$` at its end, exactly that path.
    pub path: String,
    pub fault: Fault,
    /// How many calls go wrong.
    #[serde(default = "one")]
    pub count: u64,
    /// How many calls go well before.
    #[serde(default)]
    pub after: u64,
}

fn one() -> u64 {
    1
}

const MOST_ORDERS: usize = 1_000;

#[derive(Default)]
pub struct Faults {
    orders: Vec<Order>,
}

impl Faults {
    /// Takes an order; false if there are too many already.
    pub fn order(&mut self, order: Order) -> bool {
        let room = self.orders.len() < MOST_ORDERS;
        if room {
            self.orders.push(order);
        }
        room
    }

    pub fn clear(&mut self) {
        self.orders.clear();
    }

    pub fn pending(&self) -> &[Order] {
        &self.orders
    }

    /// The fault for this call, if one was ordered.
    pub fn next(&mut self, path: &str) -> Option<Fault> {
        let fits = |order: &Order| match order.path.strip_suffix('$') {
            Some(exact) => exact == path,
            None => path.starts_with(&order.path),
        };
        let nth = self.orders.iter().position(fits)?;
        let order = &mut self.orders[nth];
        if order.after > 0 {
            order.after -= 1;
            return None;
        }
        let fault = order.fault;
        order.count = order.count.saturating_sub(1);
        if order.count == 0 {
            self.orders.remove(nth);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_calls_go_wrong_and_no_others() {
        let mut faults = Faults::default();
        faults.order(Order { path: String::from("/api/v1/users$"), fault: Fault::Html, count: 2, after: 1 });
        let mut next = |path| faults.next(path);
        assert_eq!(next("/api/v1/users"), None);
        assert_eq!(next("/api/v1/users/00u1"), None);
        assert_eq!(next("/api/v1/users"), Some(Fault::Html));
        assert_eq!(next("/api/v1/users"), Some(Fault::Html));
        assert_eq!(next("/api/v1/users"), None);
    }
}
