//! Notices when the pages of a list lead back to one that was read: such a list never ends.

/// The pages that a list has led to.
///
/// Remembers one page at a time, each twice as far on as the one before (Brent 1980), so that a circle of any length is
/// found within a few rounds, whatever the length of the list.
#[derive(Debug, Default)]
pub(super) struct Trail {
    remembered: Option<String>,
    /// Pages since then, and how many of them make it time to remember another.
    steps: u64,
    far: u64,
}

impl Trail {
    /// Takes the next step; false when it leads to a page that was read before.
    pub fn goes_on(&mut self, target: String) -> bool {
        if self.remembered.as_ref() == Some(&target) {
            return false;
        }
        self.steps += 1;
        if self.steps >= self.far {
            (self.remembered, self.steps, self.far) = (Some(target), 0, (self.far * 2).max(1));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_circle_is_found_within_a_few_rounds_and_nothing_else(straight in 0u64..200, round in 1u64..50) {
            let mut trail = Trail::default();
            let page = |step: u64| if step < straight { step } else { straight + (step - straight) % round };
            let steps = (0..).take_while(|step| trail.goes_on(page(*step).to_string())).count() as u64;
            prop_assert!(steps >= straight + round, "none of these pages was there before");
            prop_assert!(steps <= 4 * (straight + round) + 4);
        }
    }
}
