//! What Okta sends, as sections: the fields of an object by name, as places in a read text.

/// Declares a section: a struct with one optional value for each field that the mapping knows.
macro_rules! section {
    ($(#[$about:meta])* $name:ident { $($field:ident: $key:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default, Clone, Copy)]
        #[allow(missing_docs)] // the names are Okta's
        pub struct $name<'a> {
            $(pub $field: Option<$crate::json::Value<'a>>,)*
        }

        impl<'a> $name<'a> {
            /// The fields that the mapping knows, in Okta's spelling.
            pub const FIELDS: &'static [&'static str] = &[$($key),*];

            /// The fields of an object; none of anything else. A `null` is an absent field.
            pub fn of(object: Option<$crate::json::Value<'a>>) -> Self {
                use $crate::json::Kind;
                let mut section = Self::default();
                let Some(object) = object.filter(|object| object.kind() == Kind::Object) else { return section };
                for field in object.children().filter(|field| field.kind() != Kind::Null) {
                    field.with_key(|key| match key {
                        $($key => section.$field = Some(field),)*
                        _ => {}
                    })
                }
                section
            }
        }
    };
}

pub(super) use section;
