use std::path::Path;
use std::time::Duration;

use okta_ocsf::landing::local::LocalLanding;
use okta_ocsf::landing::{LandingPartition, LandingRecord};

/// All that is in the landing log of a data directory. The program that writes it must have ended.
pub fn landed(data_dir: &Path) -> Vec<LandingRecord> {
    let log = LocalLanding::open(&data_dir.join("landing.redb"), Duration::MAX).unwrap();
    let mut partition = log.partition(0);
    let records = std::iter::from_fn(|| partition.next(Duration::ZERO).unwrap());
    records.map(|landed| landed.content.unwrap()).collect()
}
