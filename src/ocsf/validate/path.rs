use std::fmt;

/// Where in a record something is. Grows on the stack while the record is walked; becomes text only in a finding.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The record itself.
    Record,
    Attribute(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub fn attribute(&'a self, name: &'a str) -> Self {
        Self::Attribute(self, name)
    }

    pub fn element(&'a self, index: usize) -> Self {
        Self::Element(self, index)
    }
}

/// As observables write it: `resources[0].owner.name`. As deep as the JSON, which is bounded.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => Ok(()),
            Self::Attribute(Path::Record, name) => f.write_str(name),
            Self::Attribute(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
