//! What must hold whatever the numbers.

use proptest::prelude::*;

use crate::okta::quota::{Call, Decision, Headers, Method, Policy, Priority, Quota};

const T: i64 = 1_790_000_000_000;
const LOGS: (Method, &str) = (Method::Get, "/api/v1/logs");

fn ask(quota: &mut Quota, now: i64) -> Decision {
    quota.ask(now, &Call { method: LOGS.0, path: LOGS.1, priority: Priority::Fetch })
}

/// A quota that was told once what the window looks like.
fn told(policy: &Policy, limit: u32, remaining: u32, reset_in: i64) -> Quota {
    let mut quota = Quota::new(policy.clone());
    let Decision::Go(permit) = ask(&mut quota, T) else { panic!("the first call goes") };
    let reset = (T + reset_in) / 1000;
    let headers = Headers {
        status: 200,
        limit: Some(limit),
        remaining: Some(remaining.min(limit.saturating_sub(1))),
        reset: Some(reset),
        date: Some(T / 1000),
    };
    quota.answered(T + 50, permit, &headers);
    quota
}

/// How many calls go at once; the policy has slots for all of them.
fn at_once(mut quota: Quota) -> u32 {
    (0..2_000).take_while(|_| matches!(ask(&mut quota, T + 60), Decision::Go(_))).count() as u32
}

fn policy(share: f64) -> Policy {
    Policy { share, concurrency_start: 5_000, concurrency_max: 5_000, ..Policy::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_less_remains_the_less_goes(share in 0.0..=1.0f64, limit in 1..800u32, a in 0..800u32, b in 0..800u32) {
        let (less, more) = (a.min(b), a.max(b));
        let go = |remaining| at_once(told(&policy(share), limit, remaining, 60_000));
        prop_assert!(go(less) <= go(more));
    }

    #[test]
    fn what_goes_leaves_the_others_their_part(share in 0.0..=1.0f64, limit in 2..800u32, remaining in 0..800u32) {
        let remaining = remaining.min(limit - 1);
        let went = at_once(told(&policy(share), limit, remaining, 60_000));
        let ours = (f64::from(limit) * share + 1e-6).floor().max(1.0) as u32;
        prop_assert!(went < ours.max(2));
        prop_assert!(went == 0 || remaining - went >= limit - ours);
    }

    #[test]
    fn more_calls_never_take_less_time_and_a_greater_share_never_more(
        share in 0.01..=1.0f64, greater in 0.0..0.5f64, limit in 1..800u32, calls in 0..100_000u64, more in 0..100_000u64,
    ) {
        let quota = told(&policy(share), limit, limit, 60_000);
        let time = |quota: &Quota, calls| quota.estimate(T + 60, &[(LOGS.0, LOGS.1, calls)]);
        prop_assert!(time(&quota, calls) <= time(&quota, calls + more));
        let wider = told(&policy((share + greater).min(1.0)), limit, limit, 60_000);
        prop_assert!(time(&wider, calls) <= time(&quota, calls));
    }

    #[test]
    fn nothing_that_a_header_says_makes_it_panic_or_wait_for_ever(
        replies in prop::collection::vec((any::<u16>(), any::<Option<u32>>(), any::<Option<u32>>(), any::<Option<i64>>(),
            any::<Option<i64>>(), 0..200_000i64, any::<bool>()), 1..40),
    ) {
        let (mut quota, mut now) = (Quota::new(Policy::default()), T);
        for (status, limit, remaining, reset, date, later, lost) in replies {
            let headers = Headers { status: status % 600, limit, remaining, reset, date };
            match ask(&mut quota, now) {
                Decision::Go(permit) if lost => quota.lost(now + 30, permit),
                Decision::Go(permit) => quota.answered(now + 30, permit, &headers),
                Decision::WaitUntil(time) => {
                    prop_assert!(time > now && time <= now + 700_000, "{}", time - now);
                    now = time;
                }
            }
            now += later;
            prop_assert!(quota.estimate(now, &[(LOGS.0, LOGS.1, 10)]) >= 0);
            prop_assert!(quota.offset(now).is_none_or(|offset| offset.lo <= offset.hi));
            quota.outlook(now);
        }
    }
}
