//! One declaration per option.

/// Declares a struct of options, each a field, a key of a file and, with the feature `cli`, a flag of the same name.
/// `= value` is its default, `=> [values]` that of a list; without one it is absent, or off.
macro_rules! options {
    (@value) => { Default::default() };
    (@value = $one:expr) => { $one };
    (@value => [$($each:expr),*]) => { vec![$($each),*] };
    (
        $(#[doc = $what:tt])*
        pub struct $name:ident { $(
            $(#[doc = $help:tt])*
            #[arg($($flag:tt)*)]
            $(#[serde($($key:tt)*)])?
            pub $option:ident: $type:ty $(= $one:expr)? $(=> [$($each:expr),*])?,
        )* }
    ) => {
        $(#[doc = $what])*
        #[cfg_attr(feature = "cli", derive(clap::Args))]
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct $name { $(
            $(#[doc = $help])*
            #[cfg_attr(
                feature = "cli",
                arg($($flag)* $(, default_value_t = $one)? $(, default_values_t = [$($each),*])?)
            )]
            $(#[serde($($key)*)])?
            pub $option: $type,
        )* }

        impl Default for $name {
            fn default() -> Self {
                $name { $($option: options!(@value $(= $one)? $(=> [$($each),*])?),)* }
            }
        }

        impl $crate::experiment::Options for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($option)),*];
        }
    };
}

pub(crate) use options;
