use super::{call::Method, limiter::Quota};

/// How to read many objects of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// One by one.
    Singles,
    /// By a list, best an incremental one.
    List,
}

/// So few are always read one by one: a list is read from an index that lags, and would save a second or two at most.
const FEW: u64 = 20;

/// A list must be this many times cheaper: its replies are older than those of single reads when they arrive, and some
/// objects have to be read again because of it.
const CHEAPER: u64 = 2;

impl Quota {
    /// Whether `wanted` objects are better read one by one, by calls of `single`, or by `pages` calls of `list`.
    ///
    /// Cost is the part of a minute's quota that each way takes from its own bucket, so that reading what is scarce
    /// costs more. A list counts its pages in full, whatever else is on them: the caller knows how many there are.
    pub fn route(&self, wanted: u64, single: (Method, &str), pages: u64, list: (Method, &str)) -> Route {
        if wanted <= FEW {
            return Route::Singles;
        }
        // wanted / per_minute(single) against pages / per_minute(list), without the divisions.
        let one_by_one = u128::from(wanted) * u128::from(self.per_minute(list));
        let listed = u128::from(pages) * u128::from(self.per_minute(single));
        if listed * u128::from(CHEAPER) <= one_by_one { Route::List } else { Route::Singles }
    }

    fn per_minute(&self, (method, path): (Method, &str)) -> u32 {
        let (_, bucket, guess) = self.registry.look_up(method, path);
        bucket.map_or(self.policy.permitted(guess), |bucket| bucket.permitted_per_minute(&self.policy))
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, Quota, Route};
    use crate::okta::quota::Policy;

    const USER: (Method, &str) = (Method::Get, "/api/v1/users/00u1");
    const USERS: (Method, &str) = (Method::Get, "/api/v1/users");

    #[test]
    fn a_burst_is_read_by_a_list_when_that_takes_less_of_the_quota() {
        let quota = Quota::new(Policy::default());
        for (wanted, pages, route) in [
            (20, 1, Route::Singles),   // few
            (21, 1, Route::List),      // 2.1 % of a minute against 0.3 %
            (200, 30, Route::List),    // 20 % against 10 %
            (200, 31, Route::Singles), // not twice as cheap any more
            (100_000, 500, Route::List),
        ] {
            assert_eq!(quota.route(wanted, USER, pages, USERS), route, "{wanted} objects, {pages} pages");
        }
    }

    #[test]
    fn a_long_list_for_a_few_dozen_objects_is_not_worth_it() {
        let quota = Quota::new(Policy::default());
        assert_eq!(quota.route(50, USER, 500, USERS), Route::Singles);
    }
}
