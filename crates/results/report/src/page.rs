use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// The notice of every report.
const NOTICE: &str = "Research use only. Not a medical device.";

/// A whole report.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// Its subject, in one line.
    pub subtitle: String,
    /// The result, readable in ten seconds.
    pub verdict: Verdict,
    /// The figures behind it; three are enough.
    pub figures: Vec<KeyFigure>,
    /// What to do now, most important first.
    pub to_do: Vec<String>,
    /// Everything else.
    pub sections: Vec<Section>,
}

/// The result in words.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// How good it is.
    pub tone: Tone,
    /// In one line.
    pub headline: String,
    /// In a few more sentences.
    pub sentences: Vec<String>,
}

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// No objection.
    Good,
    /// A reservation.
    Warn,
    /// A problem that must not be overlooked.
    Bad,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// The tone in words, for readers who do not see the colour.
    fn word(self) -> &'static str {
        match self {
            Self::Good => "Good",
            Self::Warn => "Caution",
            Self::Bad => "Problem",
        }
    }
}

/// A key figure and its name.
#[derive(Debug, Clone)]
pub struct KeyFigure {
    /// The figure.
    pub value: String,
    /// Its name.
    pub label: String,
}

/// A part of the report, with a heading of its own.
#[derive(Debug, Clone)]
pub struct Section {
    /// The address within the page; letters and hyphens.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// The content and why it matters, in a sentence or two.
    pub lead: String,
    /// The rest.
    pub body: Markup,
}

impl Page {
    /// The file's text.
    pub fn render(&self) -> String {
        self.markup().into_string()
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    // Its own icon, so that no browser requests one from the network.
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (self.header())
                    main {
                        (self.summary())
                        @for section in &self.sections { (section.markup()) }
                    }
                    footer { div.inner { "Made by Hounsfield. " (NOTICE) } }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header {
                div.inner {
                    h1 { (self.title) }
                    p { (self.subtitle) }
                    span.notice { (NOTICE) }
                    nav aria-label="Sections" {
                        @for section in &self.sections {
                            a href={ "#" (section.id) } { (section.title) }
                        }
                    }
                }
            }
        }
    }

    fn summary(&self) -> Markup {
        let Verdict { tone, headline, sentences } = &self.verdict;
        html! {
            div.verdict.(tone.class()) role="status" {
                h2 { (tone.word()) ": " (headline) }
                @for sentence in sentences { p { (sentence) } }
            }
            @if !self.figures.is_empty() {
                div.figures {
                    @for figure in &self.figures {
                        div.figure {
                            div.value { (figure.value) }
                            div.label { (figure.label) }
                        }
                    }
                }
            }
            @if !self.to_do.is_empty() {
                div.todo {
                    h3 { "What to do" }
                    ol { @for item in &self.to_do { li { (item) } } }
                }
            }
        }
    }
}

impl Section {
    fn markup(&self) -> Markup {
        html! {
            section id=(self.id) {
                h2 { (self.title) }
                p.lead { (self.lead) }
                (self.body)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page {
            title: "A <title>".into(),
            subtitle: "s".into(),
            verdict: Verdict { tone: Tone::Bad, headline: "h".into(), sentences: vec![] },
            figures: vec![KeyFigure { value: "22".into(), label: "contents".into() }],
            to_do: vec![],
            sections: vec![Section {
                id: "copies",
                title: "Copies".into(),
                lead: String::new(),
                body: html! { p { "body" } },
            }],
        }
    }

    #[test]
    fn nothing_is_fetched_from_anywhere() {
        let text = page().render();
        for outside in ["http://", "https://", "src=\"/", "@import", "url("] {
            assert!(!text.contains(outside), "the page holds {outside}");
        }
    }

    #[test]
    fn text_is_escaped_and_the_notice_is_there() {
        let text = page().render();
        assert!(text.contains("A &lt;title&gt;") && !text.contains("A <title>"), "{text}");
        assert!(text.contains(NOTICE));
    }

    #[test]
    fn sections_can_be_reached_from_the_top() {
        let text = page().render();
        assert!(text.contains("href=\"#copies\"") && text.contains("id=\"copies\""), "{text}");
    }
}
