use mlflow::Alias;

/// The alias of the version that is served.
///
/// # Panics
/// Never: the alias is well formed.
pub fn champion_alias() -> Alias {
    Alias::new("champion").expect("the alias is well formed")
}

/// The alias of the newest version that did not become the champion.
///
/// # Panics
/// Never: the alias is well formed.
pub fn challenger_alias() -> Alias {
    Alias::new("challenger").expect("the alias is well formed")
}
