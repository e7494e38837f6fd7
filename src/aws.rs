//! How AWS is reached: one place for the settings that every AWS client of the process shares.

use aws_config::{BehaviorVersion, Region, SdkConfig};

use crate::config::AwsConfig;

/// The configuration over the usual places (environment, profile, instance role). Makes no call by itself.
pub async fn settings(config: &AwsConfig) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &config.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}
