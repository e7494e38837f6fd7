//! Who belongs to what. Both directions are computed from the seed, and only changes are stored.

use jiff::Timestamp;
use serde_json::json;

use crate::rng::Rng;
use crate::world::seed::{Kind, Seed};
use crate::world::{AsOf, HISTORY, Seen, World, forget, people, stamp};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Relation {
    /// Group to user.
    Members,
    /// Application to user.
    AppUsers,
    /// Application to group.
    AppGroups,
}

/// The first group is Okta's own: everybody is in it, always.
pub const EVERYONE: u64 = 0;

/// One link between two objects; `since` is known when it was made after the start.
pub struct Link {
    pub right: u64,
    pub since: Option<Timestamp>,
}

impl Relation {
    fn left(self) -> Kind {
        if self == Self::Members { Kind::Group } else { Kind::App }
    }

    fn right(self) -> Kind {
        if self == Self::AppGroups { Kind::Group } else { Kind::User }
    }

    /// How many the left side has at the start: a few have most, most have few.
    fn size(self, seed: &Seed, left: u64) -> u64 {
        match self {
            Self::Members if left >= seed.groups || left % 17 == 16 => 0,
            Self::Members => (seed.users * 3 / (left + 10)).clamp(1, seed.users),
            Self::AppUsers if left >= seed.apps => 0,
            Self::AppUsers => (seed.users * 6 / (left + 8)).clamp(1, seed.users),
            Self::AppGroups if left >= seed.apps => 0,
            Self::AppGroups => (1 + left % 40).min(seed.groups),
        }
    }
}

/// A subset of `0..total` that can be walked and asked: the first `size` steps of `a * step + b`.
struct Spread {
    total: u64,
    a: u64,
    b: u64,
    size: u64,
}

impl Spread {
    fn new(seed: &Seed, relation: Relation, left: u64) -> Self {
        let total = if relation == Relation::AppGroups { seed.groups } else { seed.users }.max(1);
        let mut rng = Rng::at(seed.number, 50 + relation as u64, left);
        let mut a = 1 + rng.next() % total;
        while gcd(a, total) != 1 {
            a = a % total + 1;
        }
        Self { total, a, b: rng.next() % total, size: relation.size(seed, left) }
    }

    fn at(&self, step: u64) -> u64 {
        ((u128::from(self.a) * u128::from(step) + u128::from(self.b)) % u128::from(self.total)) as u64
    }

    fn has(&self, right: u64) -> bool {
        if right >= self.total {
            return false;
        }
        let from_b = u128::from((right + self.total - self.b) % self.total);
        let step = from_b * u128::from(inverse(self.a, self.total)) % u128::from(self.total);
        (step as u64) < self.size
    }
}

impl World {
    /// Whether the seed or a change since says that the two are linked, and since when if it was a change.
    pub fn linked(&self, relation: Relation, left: u64, right: u64, as_of: AsOf) -> Option<Link> {
        self.linked_unless_changed(relation, left, right, as_of, || Spread::new(&self.seed, relation, left).has(right))
    }

    /// The same, where `derived` says whether the seed links them.
    fn linked_unless_changed(
        &self,
        relation: Relation,
        left: u64,
        right: u64,
        as_of: AsOf,
        derived: impl FnOnce() -> bool,
    ) -> Option<Link> {
        if !self.exists(relation.left(), left, as_of) || !self.can_be_linked(relation, right, as_of) {
            return None;
        }
        if relation == Relation::Members && left == EVERYONE {
            return Some(Link { right, since: None });
        }
        let changes = self.edges.get(&(relation, left)).and_then(|changes| changes.get(&right));
        match changes.and_then(|changes| changes.iter().rev().find(|(at, _)| as_of.is_none_or(|time| *at <= time))) {
            Some((at, true)) => Some(Link { right, since: Some(*at) }),
            Some((_, false)) => None,
            None => derived().then_some(Link { right, since: None }),
        }
    }

    /// Deprovisioned people have lost what they had; it is not listed, and comes back if they do.
    fn can_be_linked(&self, relation: Relation, right: u64, as_of: AsOf) -> bool {
        match self.see(relation.right(), right, as_of) {
            Seen::Missing => false,
            _ if relation.right() == Kind::Group => true,
            seen => people::status(&self.seed, right, &seen) != "DEPROVISIONED",
        }
    }

    /// The positions a walk over the right sides of `left` has; [`World::link_at`] tells who is there.
    pub fn walk_length(&self, relation: Relation, left: u64) -> u64 {
        if relation == Relation::Members && left == EVERYONE {
            return self.count(Kind::User);
        }
        relation.size(&self.seed, left) + self.count(relation.right())
    }

    /// The link at a position of the walk: first those of the seed, then those made since.
    pub fn link_at(&self, relation: Relation, left: u64, position: u64, as_of: AsOf) -> Option<Link> {
        if relation == Relation::Members && left == EVERYONE {
            return self.linked(relation, left, position, as_of);
        }
        let spread = Spread::new(&self.seed, relation, left);
        if position < spread.size {
            return self.linked_unless_changed(relation, left, spread.at(position), as_of, || true);
        }
        let right = position - spread.size;
        if spread.has(right) { None } else { self.linked_unless_changed(relation, left, right, as_of, || false) }
    }

    /// The next position at or after this one where there can be a link: past the seed's, only changes count.
    pub fn next_position(&self, relation: Relation, left: u64, position: u64) -> u64 {
        let size = relation.size(&self.seed, left);
        if position < size || (relation == Relation::Members && left == EVERYONE) {
            return position;
        }
        let changes = self.edges.get(&(relation, left));
        let next = changes.and_then(|changes| changes.range(position - size..).next());
        next.map_or(self.walk_length(relation, left), |(right, _)| size + right)
    }

    /// Links or unlinks; a group notes when its membership changed, the user does not.
    pub fn link(&mut self, relation: Relation, left: u64, right: u64, now: Timestamp, linked: bool) {
        let changes = self.edges.entry((relation, left)).or_default().entry(right).or_default();
        changes.push((now, linked));
        forget(changes, now - HISTORY, |(at, _)| *at);
        if relation == Relation::Members {
            self.change(Kind::Group, left, now, json!({ "lastMembershipUpdated": stamp(now) }));
        }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The inverse of `a` modulo `total`, to which it must be coprime.
fn inverse(a: u64, total: u64) -> u64 {
    let (mut r0, mut r1) = (i128::from(total), i128::from(a % total));
    let (mut t0, mut t1) = (0_i128, 1_i128);
    while r1 != 0 {
        let quotient = r0 / r1;
        (r0, r1) = (r1, r0 - quotient * r1);
        (t0, t1) = (t1, t0 - quotient * t1);
    }
    t0.rem_euclid(i128::from(total.max(1))) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use jiff::ToSpan;

    use super::*;
    use crate::world::dawn;

    fn members(world: &World, group: u64) -> BTreeSet<u64> {
        let all = 0..world.walk_length(Relation::Members, group);
        all.filter_map(|at| world.link_at(Relation::Members, group, at, None)).map(|link| link.right).collect()
    }

    #[test]
    fn both_directions_agree_also_after_changes() {
        let mut world = World::new(Arc::new(Seed::new("acme", 3, 210, 20, 5)));
        let now = dawn() + 24.hours();
        let outsider = (0..210).find(|user| {
            world.linked(Relation::Members, 2, *user, None).is_none()
                && world.linked(Relation::Members, EVERYONE, *user, None).is_some()
        });
        let outsider = outsider.expect("not everybody is in the group");
        world.link(Relation::Members, 2, outsider, now, true);
        let insider = *members(&world, 3).first().expect("a member");
        world.link(Relation::Members, 3, insider, now, false);
        for group in 0..20 {
            let walked = members(&world, group);
            let asked: BTreeSet<u64> =
                (0..210).filter(|user| world.linked(Relation::Members, group, *user, None).is_some()).collect();
            assert_eq!(walked, asked, "group {group}");
        }
        assert!(members(&world, 2).contains(&outsider) && !members(&world, 3).contains(&insider));
        let touched = world.object(Kind::Group, 2, None).map(|group| group["lastMembershipUpdated"].clone());
        assert_eq!(touched, Some(json!(stamp(now))));
        assert_eq!(world.version(Kind::User, outsider), 1, "the user does not change");
    }
}
