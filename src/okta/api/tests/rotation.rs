use std::path::Path;
use std::time::{Duration, SystemTime};

use super::tokens::TOKEN;
use super::*;
use crate::config::{ApiConfig, ApiKeyConfig};

fn key(id: &str, file: &Path) -> ApiKeyConfig {
    ApiKeyConfig { id: id.into(), file: Some(file.to_owned()), ..ApiKeyConfig::default() }
}

fn client(org: &Org, keys: Vec<ApiKeyConfig>) -> Client {
    let config = ApiConfig { client_id: Some("0oa1".into()), keys, ..org.config() };
    Client::new(&config, &["okta.users.read"], 1).unwrap()
}

/// Writes a file with a time of change that differs from all before.
fn write(path: &Path, text: &str, age: u64) {
    std::fs::write(path, text).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
}

#[tokio::test]
async fn the_second_key_takes_over_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.pem"), folder.path().join("new.pem"));
    let ((old_pem, _), (new_pem, new_public)) = (super::keys::p256(), super::keys::p256());
    write(&old, &old_pem, 9);
    write(&new, &new_pem, 9);
    let mut authority = Authority::default();
    authority.keys.insert("new".into(), new_public);
    let (org, authority) = authority.start().await;
    let client = client(&org, vec![key("old", &old), key("new", &new)]);
    client.get(&users(), &()).await.unwrap();
    assert_eq!(org.count(TOKEN), 2);
    authority.lock().unwrap().good.clear();
    client.get(&users(), &()).await.unwrap();
    assert_eq!(org.count(TOKEN), 3, "the key that worked is the first to be tried");
}

#[tokio::test]
async fn a_key_file_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let ((first, first_public), (second, second_public)) = (super::keys::p256(), super::keys::p256());
    write(&path, &first, 9);
    let mut authority = Authority::default();
    authority.keys.insert("k1".into(), first_public);
    let (org, authority) = authority.start().await;
    let client = client(&org, vec![key("k1", &path)]);
    client.get(&users(), &()).await.unwrap();
    // While it is being written, the key before stays in use.
    write(&path, "-----BEGIN", 8);
    authority.lock().unwrap().good.clear();
    client.get(&users(), &()).await.unwrap();
    write(&path, &second, 7);
    authority.lock().unwrap().good.clear();
    authority.lock().unwrap().keys.insert("k1".into(), second_public);
    client.get(&users(), &()).await.unwrap();
    assert_eq!(authority.lock().unwrap().refusals.len(), 2, "only the tokens that were forgotten");
}

#[tokio::test]
async fn one_of_two_files_may_be_missing_but_not_both() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.pem"), folder.path().join("new.pem"));
    let (pem, public) = super::keys::p256();
    write(&new, &pem, 9);
    let mut authority = Authority::default();
    authority.keys.insert("new".into(), public);
    let (org, _) = authority.start().await;
    let client = client(&org, vec![key("old", &old), key("new", &new)]);
    client.get(&users(), &()).await.unwrap();
    std::fs::remove_file(&new).unwrap();
    let config =
        ApiConfig { client_id: Some("0oa1".into()), keys: vec![key("old", &old), key("new", &new)], ..org.config() };
    let fatal = Client::new(&config, &[], 1).err().unwrap();
    let text = crate::error::Chain(&fatal).to_string();
    assert!(text.contains("old.pem of the key \"old\" cannot be read"), "{text}");
}
