use std::collections::HashMap;

use super::{
    bucket::Bucket,
    call::Method,
    rules::{UNKNOWN_LIMIT, kind_of, rule_of},
};

/// Which bucket each kind of calls is in: by the table at first, by what replies tell later.
#[derive(Debug, Default)]
pub(super) struct Registry {
    buckets: Vec<Bucket>,
    kinds: Vec<Kind>,
    by_path: HashMap<(Method, String), usize>,
}

/// Calls of one method whose paths differ only in ids.
#[derive(Debug)]
struct Kind {
    method: Method,
    path: String,
    bucket: usize,
}

/// Kinds that are told apart: Okta's whole API has fewer than 500 paths. Beyond them a kind is known by its bucket
/// in the table only, so that odd paths cannot fill the memory.
const MOST_KINDS: usize = 1_000;

impl Registry {
    /// The kind of a call, new or known.
    pub fn kind(&mut self, method: Method, path: &str, now: i64) -> usize {
        let rule = rule_of(method, path);
        let mut key = (method, kind_of(path));
        if self.kinds.len() >= MOST_KINDS && !self.by_path.contains_key(&key) {
            key = (Method::Get, rule.map_or("any", |rule| rule.bucket).to_owned());
        }
        if let Some(kind) = self.by_path.get(&key) {
            return *kind;
        }
        let (name, guess) = match rule {
            Some(rule) => (rule.bucket.to_owned(), rule.limit),
            None => (name_of(method, &key.1), UNKNOWN_LIMIT),
        };
        let bucket = match self.buckets.iter().position(|bucket| bucket.name == name) {
            Some(bucket) => bucket,
            None => self.add(Bucket::new(name, guess, now)),
        };
        self.buckets[bucket].kinds += 1;
        self.kinds.push(Kind { method, path: key.1.clone(), bucket });
        self.by_path.insert(key, self.kinds.len() - 1);
        self.kinds.len() - 1
    }

    /// The bucket that a kind is in now.
    pub fn bucket_of(&self, kind: usize) -> usize {
        self.kinds[kind].bucket
    }

    /// Gives a kind a bucket of its own.
    pub fn set_apart(&mut self, kind: usize, guess: u32, now: i64) -> usize {
        let name = name_of(self.kinds[kind].method, &self.kinds[kind].path);
        let mut own = Bucket::new(name, guess, now);
        own.kinds = 1;
        self.buckets[self.kinds[kind].bucket].kinds -= 1;
        self.kinds[kind].bucket = self.add(own);
        self.kinds[kind].bucket
    }

    /// A bucket by its index.
    pub fn bucket(&mut self, index: usize) -> &mut Bucket {
        &mut self.buckets[index]
    }

    /// All of them, in the order in which they were met.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// The name and, if one was met, the bucket of a call; and the limit to go by if not.
    pub fn look_up(&self, method: Method, path: &str) -> (String, Option<&Bucket>, u32) {
        let rule = rule_of(method, path);
        let key = (method, kind_of(path));
        let known = self.by_path.get(&key).map(|kind| &self.buckets[self.kinds[*kind].bucket]);
        let name = match (known, rule) {
            (Some(bucket), _) => bucket.name.clone(),
            (None, Some(rule)) => rule.bucket.to_owned(),
            (None, None) => name_of(method, &key.1),
        };
        let bucket = known.or_else(|| self.buckets.iter().find(|bucket| bucket.name == name));
        (name, bucket, rule.map_or(UNKNOWN_LIMIT, |rule| rule.limit))
    }

    fn add(&mut self, bucket: Bucket) -> usize {
        self.buckets.push(bucket);
        self.buckets.len() - 1
    }
}

fn name_of(method: Method, path: &str) -> String {
    let method = match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    format!("{method} {path}")
}

#[cfg(test)]
mod tests {
    use super::{MOST_KINDS, Method, Registry};

    #[test]
    fn the_table_merges_paths_and_nothing_else_does() {
        let mut registry = Registry::default();
        let mut bucket = |path| {
            let kind = registry.kind(Method::Get, path, 0);
            registry.bucket_of(kind)
        };
        assert_eq!(bucket("/api/v1/groups"), bucket("/api/v1/groups/00g1/users"));
        assert_ne!(bucket("/api/v1/groups"), bucket("/api/v1/groups/00g1"));
        assert_eq!(bucket("/integrations/x/1"), bucket("/integrations/x/2"));
        assert_ne!(bucket("/integrations/x/1"), bucket("/integrations/y/1"));
    }

    #[test]
    fn odd_paths_cannot_fill_the_memory() {
        let mut registry = Registry::default();
        for n in 0..5_000 {
            let word: String = format!("{n:05}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            registry.kind(Method::Get, &format!("/odd/{word}"), 0);
            registry.kind(Method::Get, &format!("/api/v1/{word}"), 0);
        }
        assert!(registry.kinds.len() <= MOST_KINDS + 2 && registry.buckets.len() <= MOST_KINDS + 2);
    }
}
