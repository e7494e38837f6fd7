use proptest::prelude::*;

use super::key::{Chunk, Space};
use super::*;
use crate::merge::snapshots::Roster;
use crate::merge::store::Bucket;
use crate::okta::OrgId;

fn keys() -> impl Strategy<Value = Key> {
    let chunk = || (any::<u64>(), any::<u32>()).prop_map(|(claim, number)| Chunk { claim, number });
    let org = || "[a-z.]{1,8}".prop_map(|name| OrgId::new(&name));
    let space = prop_oneof![Just(Space::State), Just(Space::Snapshots)];
    prop_oneof![
        any::<[u8; 16]>().prop_map(Key::Claim),
        Just(Key::Marker),
        any::<u64>().prop_map(Key::Voids),
        (space, any::<Vec<u8>>(), any::<u16>()).prop_map(|(space, name, part)| Key::Value { space, name, part }),
        (org(), any::<i64>(), chunk()).prop_map(|(org, day, chunk)| Key::Events { bucket: Bucket { org, day }, chunk }),
        (org(), any::<i64>(), "[a-z/]{0,8}", chunk())
            .prop_map(|(org, epoch, name, chunk)| Key::Roster { roster: Roster { org, epoch, name }, chunk }),
    ]
}

proptest! {
    #[test]
    fn a_key_survives_being_written_and_no_two_are_the_same(one in keys(), other in keys()) {
        prop_assert_eq!(Key::read(&one.write()), Some(one.clone()));
        prop_assert_eq!(one.write() == other.write(), one == other);
    }

    #[test]
    fn no_key_is_taken_for_granted(bytes in any::<Vec<u8>>()) {
        if let Some(key) = Key::read(&bytes) {
            prop_assert_eq!(key.write(), bytes);
        }
    }
}

/// One value in three parts under claim 0, of which the given records are left; gives what is read of them.
fn replay(left: &[usize], versions: usize) -> Vec<Step> {
    let mut writer = Writer::new(0, 0, Counters::default());
    let mut records = vec![claim([0; 16], "test")];
    for version in 0..versions {
        let value = vec![version as u8; PART_BYTES * 2 + 1];
        let writes = [(b"h1".to_vec(), Some(value))].into();
        records.extend(writer.batch(&crate::merge::Changes { writes, ..Default::default() }).records);
    }
    records.push(writer.marker(1, 0, &[]).record());
    let logged = |at: usize| Logged {
        offset: at as u64,
        claim: (at > 0).then_some(0),
        key: &records[at].key,
        value: records[at].value.as_deref(),
    };
    let places: Vec<_> =
        (0..records.len()).filter(|at| left.contains(at) || [0, records.len() - 1].contains(at)).collect();
    let mut survey = Survey::default();
    places.iter().for_each(|at| survey.take(&logged(*at)).unwrap());
    let mut replay = Replay::new(survey.finish(None), Counters::default());
    places.iter().filter_map(|at| replay.take(&logged(*at)).unwrap()).collect()
}

#[test]
fn a_value_in_parts_is_whole_or_nothing() {
    let whole = |version: u8| Step::Value(b"h1".to_vec(), Some(vec![version; PART_BYTES * 2 + 1]));
    assert_eq!(replay(&[1, 2, 3], 1), [whole(0)]);
    // Compaction has come to the middle of the second writing: what is left of the first is never mixed into it.
    assert_eq!(replay(&[2, 3, 4, 5, 6], 2), [whole(1)]);
    assert_eq!(replay(&[3, 4, 5, 6], 2), [whole(1)]);
    assert_eq!(replay(&[1, 2, 4, 5, 6], 2), [whole(1)]);
}

#[test]
fn without_a_marker_nothing_counts() {
    let mut survey = Survey::default();
    let record = claim([1; 16], "test");
    survey.take(&Logged { offset: 0, claim: None, key: &record.key, value: record.value.as_deref() }).unwrap();
    let marker = Writer::new(5, 0, Counters::default()).marker(1, 0, &[]).record();
    // It carries a claim that nobody has made.
    survey.take(&Logged { offset: 1, claim: Some(5), key: &marker.key, value: marker.value.as_deref() }).unwrap();
    assert_eq!(survey.finish(None).mark, None);
}
