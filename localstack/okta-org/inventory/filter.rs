//! The part of SCIM filters that the org understands, for `search` and `filter`.

use jiff::Timestamp;

/// A parsed expression.
#[derive(Debug)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Test { attribute: String, operator: Operator, text: String, time: Option<i64> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    StartsWith,
    Contains,
    Present,
}

/// What an object has for an attribute.
pub enum Found {
    Nothing,
    Text(String),
    /// In milliseconds.
    Time(i64),
}

impl Filter {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = tokens(text)?;
        tokens.reverse();
        let filter = either(&mut tokens)?;
        match tokens.pop() {
            None => Ok(filter),
            Some(token) => Err(format!("unexpected {}", token.text)),
        }
    }

    pub fn holds(&self, find: &mut impl FnMut(&str) -> Found) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(find)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(find)),
            Self::Test { attribute, operator, text, time } => match (find(attribute), time) {
                (Found::Nothing, _) => *operator == Operator::Ne,
                (_, _) if *operator == Operator::Present => true,
                (Found::Time(found), Some(wanted)) => operator.compares(found.cmp(wanted)),
                (Found::Time(_), None) => false,
                (Found::Text(found), _) => match operator {
                    Operator::StartsWith => found.to_lowercase().starts_with(&text.to_lowercase()),
                    Operator::Contains => found.to_lowercase().contains(&text.to_lowercase()),
                    _ => operator.compares(found.as_str().cmp(text)),
                },
            },
        }
    }

    /// Whether every test passes the check; for parameters that know only some attributes and operators.
    pub fn uses_only(&self, allowed: &impl Fn(&str, Operator) -> bool) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|part| part.uses_only(allowed)),
            Self::Test { attribute, operator, .. } => allowed(attribute, *operator),
        }
    }
}

impl Operator {
    fn compares(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::StartsWith | Self::Contains | Self::Present => false,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "sw" => Self::StartsWith,
            "co" => Self::Contains,
            "pr" => Self::Present,
            _ => return None,
        })
    }
}

struct Token {
    text: String,
    quoted: bool,
}

impl Token {
    fn is(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' | ')' => (Token { text: first.to_string(), quoted: false }, &rest[1..]),
            '"' => {
                let (inside, after) = rest[1..].split_once('"').ok_or("a quote is not closed")?;
                (Token { text: inside.to_owned(), quoted: true }, after)
            }
            _ => {
                let end = rest.find([' ', '(', ')', '"']).unwrap_or(rest.len());
                (Token { text: rest[..end].to_owned(), quoted: false }, &rest[end..])
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// One or more, joined by `or`. The tokens are in reverse.
fn either(tokens: &mut Vec<Token>) -> Result<Filter, String> {
    let mut parts = vec![both(tokens)?];
    while tokens.pop_if(|token| token.is("or")).is_some() {
        parts.push(both(tokens)?);
    }
    Ok(Filter::Or(parts))
}

fn both(tokens: &mut Vec<Token>) -> Result<Filter, String> {
    let mut parts = vec![single(tokens)?];
    while tokens.pop_if(|token| token.is("and")).is_some() {
        parts.push(single(tokens)?);
    }
    Ok(Filter::And(parts))
}

fn single(tokens: &mut Vec<Token>) -> Result<Filter, String> {
    let first = tokens.pop().ok_or("the expression ends too early")?;
    if first.is("(") {
        let inside = either(tokens)?;
        tokens.pop_if(|token| token.is(")")).ok_or("a parenthesis is not closed")?;
        return Ok(inside);
    }
    let operator = tokens.pop().and_then(|token| Operator::named(&token.text)).ok_or("an operator is missing")?;
    let text = match operator {
        Operator::Present => String::new(),
        _ => tokens.pop().ok_or("a value is missing")?.text,
    };
    let time = text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    Ok(Filter::Test { attribute: first.text, operator, text, time })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(filter: &str) -> bool {
        let mut find = |attribute: &str| match attribute {
            "status" => Found::Text(String::from("ACTIVE")),
            "lastUpdated" => Found::Time(1_000),
            _ => Found::Nothing,
        };
        Filter::parse(filter).expect("a filter").holds(&mut find)
    }

    #[test]
    fn comparisons_and_connectives() {
        assert!(holds(r#"status eq "ACTIVE""#) && !holds(r#"status eq "STAGED""#));
        assert!(holds(r#"lastUpdated gt "1970-01-01T00:00:00.999Z""#));
        assert!(!holds(r#"lastUpdated gt "1970-01-01T00:00:01.000Z""#));
        assert!(holds(r#"lastUpdated ge "1970-01-01T00:00:01.000Z" and status pr"#));
        assert!(holds(r#"nickName pr or (status sw "act" and lastUpdated lt "2020-01-01T00:00:00Z")"#));
        assert!(!holds("nickName pr"));
    }

    #[test]
    fn what_is_not_a_filter_is_refused() {
        for text in
            ["", "status", "status is \"ACTIVE\"", "status eq", "(status pr", "status eq \"A", "status pr status"]
        {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
