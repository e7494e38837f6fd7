//! Accounts for the source: what an attribute took, and what is left for `unmapped`.

use serde_json::{Map, Value};

/// The paths of the event whose values the record holds elsewhere. A value is noted where it is taken, so a value
/// that was looked at but not used stays left over.
#[derive(Debug, Default)]
pub struct Taken(Vec<&'static str>);

impl Taken {
    /// Passes a value through; notes its path if there is one.
    pub fn take<T>(&mut self, path: &'static str, value: Option<T>) -> Option<T> {
        if value.is_some() {
            self.0.push(path);
        }
        value
    }

    /// Passes a value through that is certainly there.
    pub fn always<T>(&mut self, path: &'static str, value: T) -> T {
        self.0.push(path);
        value
    }

    /// Every leaf of the event that was not taken and says something, in its place.
    pub fn leftover(&self, event: &[u8]) -> Map<String, Value> {
        let Ok(Value::Object(mut left)) = serde_json::from_slice(event) else {
            return Map::new();
        };
        for path in &self.0 {
            remove(&mut left, path);
        }
        left.retain(|_, value| keeps_something(value));
        left
    }
}

fn remove(object: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        None => {
            object.remove(path);
        }
        Some((head, rest)) => {
            if let Some(Value::Object(inner)) = object.get_mut(head) {
                remove(inner, rest);
            }
        }
    }
}

/// Drops nulls and what becomes empty by that. Depth is bounded: the text passed the guard when it entered.
fn keeps_something(value: &mut Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(fields) => {
            fields.retain(|_, field| keeps_something(field));
            !fields.is_empty()
        }
        Value::Array(items) => {
            items.retain_mut(keeps_something);
            !items.is_empty()
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_taken_is_gone_and_the_rest_keeps_its_place() {
        let mut taken = Taken::default();
        assert_eq!(taken.take("a.b", Some(1)), Some(1));
        assert_eq!(taken.take("c", None::<u8>), None);
        taken.always("d", ());
        let left = taken.leftover(br#"{"a":{"b":1,"x":[null,{"y":null}]},"c":2,"d":{"e":3},"f":[0]}"#);
        assert_eq!(Value::Object(left), json!({"c": 2, "f": [0]}));
    }
}
