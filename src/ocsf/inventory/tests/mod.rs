mod support;

use serde_json::{Value, json};

use super::*;
use support::*;

#[test]
fn show() {
    for (i, v) in examples() {
        let want: Vec<usize> = std::env::var("SHOW").unwrap_or_default().split(',').filter_map(|x| x.parse().ok()).collect();
        if !want.contains(&i) { continue; }
        let items = v.as_array().cloned().unwrap_or(vec![v]);
        for v in items {
            let kind = std::env::var("AS").unwrap();
            let text = v.to_string();
            let mut out = Vec::new();
            let mut m = mapper();
            let r = match kind.as_str() {
                "user" => m.user(&collected(&org()), &UserFacts { user: text.as_bytes(), ..Default::default() }, &mut out),
                "device" => m.device(&collected(&org()), text.as_bytes(), &mut out),
                k => m.resource(&collected(&org()), Collection::find(k).unwrap(), &ResourceFacts { object: text.as_bytes(), ..Default::default() }, &mut out),
            };
            println!("{r:?} {}", String::from_utf8_lossy(&out));
            println!("{:?}", crate::ocsf::validate::Schema::embedded().check(&out));
        }
    }
}
