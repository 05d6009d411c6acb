use std::sync::LazyLock;

use download::Url;
use regex::Regex;

/// A page that Drive sends in place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// "Google Drive can't scan this file for viruses": the address that its button requests.
    Confirmation(Url),
    /// The file was downloaded too often lately.
    QuotaExceeded,
    /// The file is not shared with everybody.
    SignIn,
    /// Any other page.
    Other { title: String },
}

/// Reads a page that came from `url`.
pub(super) fn read(html: &str, url: &Url) -> Page {
    if let Some(confirmed) = form_address(html, url).or_else(|| old_link(html, url)) {
        return Page::Confirmation(confirmed);
    }
    let title = TITLE.captures(html).map_or_else(String::new, |found| unescape(found[1].trim()));
    let lower = title.to_lowercase();
    if lower.contains("quota exceeded") || html.contains("Too many users have viewed or downloaded")
    {
        Page::QuotaExceeded
    } else if lower.contains("sign in")
        || lower.contains("sign-in")
        || html.contains("ServiceLogin")
    {
        Page::SignIn
    } else {
        Page::Other { title }
    }
}

/// Compiles one of the constants below.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns in this file are valid")
}

static TITLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<title[^>]*>(.*?)</title"));
static FORM: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)(<form\b[^>]*>)(.*?)</form"));
static INPUT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<input\b[^>]*>"));
static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?is)([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#));
static OLD_LINK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?is)href="([^"]*/uc\?[^"]*confirm=[^"]*)""#));

/// The form with the id `download-form`: its action with the hidden inputs as query.
fn form_address(html: &str, page: &Url) -> Option<Url> {
    let is_download = |tag: &str| {
        attribute(tag, "id").is_some_and(|id| id == "download-form" || id == "downloadForm")
    };
    let form = FORM.captures_iter(html).find(|form| is_download(&form[1]))?;
    let mut url = page.join(&attribute(&form[1], "action")?).ok()?;
    let inputs: Vec<(String, String)> = INPUT
        .find_iter(&form[2])
        .filter_map(|input| {
            let name = attribute(input.as_str(), "name")?;
            Some((name, attribute(input.as_str(), "value").unwrap_or_default()))
        })
        .collect();
    if !inputs.is_empty() {
        url.query_pairs_mut().extend_pairs(inputs);
    }
    Some(url)
}

/// The link on the page in its form until 2022.
fn old_link(html: &str, page: &Url) -> Option<Url> {
    page.join(&unescape(&OLD_LINK.captures(html)?[1])).ok()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let found = ATTRIBUTE.captures_iter(tag).find(|found| found[1].eq_ignore_ascii_case(name))?;
    let value = found.get(2).or_else(|| found.get(3)).or_else(|| found.get(4))?;
    Some(unescape(value.as_str()))
}

/// The entities that occur in addresses and titles.
fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_url() -> Url {
        Url::parse("https://drive.example/download?id=x&export=download").unwrap()
    }

    #[test]
    fn the_form_gives_the_address_its_button_asks_for() {
        let html = r#"<html><head><title>Google Drive - Virus scan warning</title></head><body>
            <form id="search" action="/search"><input name="q"></form>
            <form id="download-form" action="https://files.example/download" method="get">
            <input type="submit" id="uc-download-link" value="Download anyway"/>
            <input type="hidden" name="id" value="x"><input type="hidden" name="confirm" value="t">
            <input type="hidden" name="uuid" value="a-b&amp;c"></form></body></html>"#;
        let expected = Url::parse("https://files.example/download?id=x&confirm=t&uuid=a-b%26c");
        assert_eq!(read(html, &page_url()), Page::Confirmation(expected.unwrap()));
    }

    #[test]
    fn the_old_link_is_known() {
        let html =
            r#"<a id="uc-download-link" href="/uc?export=download&amp;confirm=zz&amp;id=x">"#;
        let expected = Url::parse("https://drive.example/uc?export=download&confirm=zz&id=x");
        assert_eq!(read(html, &page_url()), Page::Confirmation(expected.unwrap()));
    }

    #[test]
    fn pages_that_refuse_are_told_apart() {
        let title = |title: &str| format!("<html><head><title>{title}</title></head>");
        let page = |name: &str| read(&title(name), &page_url());
        assert_eq!(page("Google Drive - Quota exceeded"), Page::QuotaExceeded);
        assert_eq!(page("Sign in - Google Accounts"), Page::SignIn);
        assert_eq!(page("Sorry &amp; bye"), Page::Other { title: "Sorry & bye".into() });
    }
}
