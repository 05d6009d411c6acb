//! The tokens of a Rust file, without those that cannot affect a result: comments, documentation,
//! tests.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The code of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Code {
    /// Its tokens, one after the other.
    pub(crate) tokens: Vec<u8>,
    /// Modules in their own files that only tests use: `#[cfg(test)] mod tests;`.
    pub(crate) test_modules: Vec<String>,
    /// Files that become a part of the program: `include_str!("page.css")`, `#[path = "a.rs"] mod
    /// a;`.
    pub(crate) included: Vec<String>,
}

impl Code {
    /// Reads Rust. None for a text that is not Rust.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let stream = TokenStream::from_str(text).ok()?;
        let mut code = Self::default();
        code.keep(stream, true);
        Some(code)
    }

    fn keep(&mut self, stream: TokenStream, is_file: bool) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut rest = trees.as_slice();
        while let Some(tree) = rest.first() {
            let skipped = match attribute(rest) {
                Some((length, Attribute::Doc)) => Some(length),
                Some((length, Attribute::CfgTest)) => item(&rest[length..]).map(|item| {
                    if is_file {
                        self.test_modules.extend(module_file(&rest[length..length + item]));
                    }
                    length + item
                }),
                None => None,
            };
            match skipped {
                Some(length) => rest = &rest[length..],
                None => {
                    self.included.extend(included(rest));
                    self.write(tree);
                    rest = &rest[1..];
                }
            }
        }
    }

    fn write(&mut self, tree: &TokenTree) {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => (b'(', b')'),
                    Delimiter::Brace => (b'{', b'}'),
                    Delimiter::Bracket => (b'[', b']'),
                    Delimiter::None => (b'<', b'>'),
                };
                self.tokens.push(open);
                self.keep(group.stream(), false);
                self.tokens.push(close);
            }
            TokenTree::Punct(punct) => {
                let mut bytes = [0; 4];
                self.tokens.extend(punct.as_char().encode_utf8(&mut bytes).bytes());
            }
            // A space ends each word and each literal, since no word contains one.
            TokenTree::Ident(word) => self.tokens.extend(format!("{word} ").into_bytes()),
            TokenTree::Literal(literal) => self.tokens.extend(format!("{literal} ").into_bytes()),
        }
    }
}

enum Attribute {
    /// `#[doc = "…"]`, the long form of `///`.
    Doc,
    /// `#[cfg(test)]`.
    CfgTest,
}

/// The attribute at the start of the trees, if it is one of these, and its number of trees.
fn attribute(trees: &[TokenTree]) -> Option<(usize, Attribute)> {
    let (length, content) = any_attribute(trees)?;
    match content.as_slice() {
        [TokenTree::Ident(name), TokenTree::Punct(is), ..]
            if name == "doc" && is.as_char() == '=' =>
        {
            Some((length, Attribute::Doc))
        }
        [TokenTree::Ident(name), TokenTree::Group(group)]
            if name == "cfg" && group.stream().to_string() == "test" =>
        {
            Some((length, Attribute::CfgTest))
        }
        _ => None,
    }
}

fn any_attribute(trees: &[TokenTree]) -> Option<(usize, Vec<TokenTree>)> {
    let (length, group) = match trees {
        [TokenTree::Punct(hash), TokenTree::Group(group), ..] if hash.as_char() == '#' => {
            (2, group)
        }
        [TokenTree::Punct(hash), TokenTree::Punct(inner), TokenTree::Group(group), ..]
            if hash.as_char() == '#' && inner.as_char() == '!' =>
        {
            (3, group)
        }
        _ => return None,
    };
    let is_attribute = group.delimiter() == Delimiter::Bracket;
    is_attribute.then(|| (length, group.stream().into_iter().collect()))
}

/// The number of trees of the item at their start. None if it is not a known item.
fn item(trees: &[TokenTree]) -> Option<usize> {
    let mut at = 0;
    while let Some((length, _)) = any_attribute(&trees[at..]) {
        at += length;
    }
    let word = |at: usize| match trees.get(at) {
        Some(TokenTree::Ident(word)) => word.to_string(),
        _ => String::new(),
    };
    if word(at) == "pub" {
        at += 1;
        let is_in = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
        at += usize::from(trees.get(at).is_some_and(is_in));
    }
    let ends_in_braces = match word(at).as_str() {
        "use" | "static" | "type" => false,
        "const" => word(at + 1) == "fn",
        "mod" | "fn" | "impl" | "struct" | "enum" | "trait" | "union" | "unsafe" | "async"
        | "extern" | "macro_rules" => true,
        _ => return None,
    };
    let end = trees[at..].iter().position(|tree| match tree {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => ends_in_braces && group.delimiter() == Delimiter::Brace,
        _ => false,
    })?;
    Some(at + end + 1)
}

/// The name in `mod name;`.
fn module_file(item: &[TokenTree]) -> Option<String> {
    let at =
        item.iter().position(|tree| matches!(tree, TokenTree::Ident(word) if word == "mod"))?;
    match &item[at + 1..] {
        [TokenTree::Ident(name), TokenTree::Punct(_)] => Some(name.to_string()),
        _ => None,
    }
}

/// The path in `include_str!("path")`, in the two similar macros, or in `#[path = "path"]`.
fn included(trees: &[TokenTree]) -> Option<String> {
    if let Some((_, content)) = any_attribute(trees)
        && let [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Literal(path)] =
            content.as_slice()
        && name == "path"
    {
        return Some(path.to_string().trim_matches('"').to_owned());
    }
    let [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(group), ..] = trees else {
        return None;
    };
    if !["include", "include_str", "include_bytes"].contains(&name.to_string().as_str()) {
        return None;
    }
    Some(group.stream().to_string().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<u8> {
        Code::parse(text).unwrap().tokens
    }

    #[test]
    fn comments_documentation_and_layout_decide_nothing() {
        let bare = "pub fn two() -> u8 { 1 + 1 }";
        let dressed =
            "//! A file.\n\n/// Two.\n// why\npub fn two()\n  -> u8 {\n    1 /* one */ + 1\n}";
        assert_eq!(tokens(dressed), tokens(bare));
        assert_ne!(tokens("pub fn two() -> u8 { 1 + 2 }"), tokens(bare));
        // Two words differ from one, and the content of a string is not a comment.
        assert_ne!(tokens("a b"), tokens("ab"));
        assert_ne!(tokens(r#"x("// 1")"#), tokens(r#"x("// 2")"#));
    }

    #[test]
    fn tests_decide_nothing_wherever_they_stand() {
        let bare = "use a::b; impl A { fn c() {} } fn d() {}";
        let tested = "use a::b; #[cfg(test)] use x::{y, z}; #[cfg(test)] const N: [u8; 2] = [1, 2];
            impl A { #[cfg(test)] pub(crate) fn of_test(x: u8) -> [u8; 3] { [x; 3] } fn c() {} }
            fn d() {} #[cfg(test)] #[allow(unused)] mod tests { fn e() { f(); } }";
        assert_eq!(tokens(tested), tokens(bare));
    }

    #[test]
    fn what_is_not_for_tests_alone_counts() {
        let bare = "fn d() {}";
        for text in
            ["#[cfg(not(test))] fn e() {} fn d() {}", "#[cfg(any(test, x))] fn e() {} fn d() {}"]
        {
            assert_ne!(tokens(text), tokens(bare), "{text}");
        }
        // A field or a statement is not an item: it counts, and so does everything after it.
        let field = tokens("struct A { #[cfg(test)] b: u8, c: u8 }");
        assert_ne!(field, tokens("struct A { #[cfg(test)] b: u8, c: u16 }"));
    }

    #[test]
    fn files_of_tests_and_files_that_are_included_are_named() {
        let text = r#"#[cfg(test)] pub(crate) mod tests; mod real; #[path = "../a.rs"] mod a;
            const CSS: &str = include_str!("page.css");"#;
        let code = Code::parse(text).unwrap();
        assert_eq!(code.test_modules, ["tests"]);
        assert_eq!(code.included, ["../a.rs", "page.css"]);
    }

    #[test]
    fn what_is_no_rust_is_not_parsed() {
        assert_eq!(Code::parse("fn a( {"), None);
    }
}
