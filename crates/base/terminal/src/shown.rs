//! Names made safe for a terminal: a file name can hold anything, even escape sequences.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};

use crate::output::Output;

/// The text with every control character, and every character that changes the direction of
/// writing, escaped as in Rust: `\n`, `\u{1b}`.
pub fn shown(text: impl Display) -> String {
    escaped(&text.to_string(), |_| false)
}

/// The same for several lines: line breaks stay.
pub fn shown_lines(text: &str) -> String {
    escaped(text, |character| character == '\n')
}

/// The text for a Markdown page: nothing in it is read as markup, a link or HTML.
pub fn markdown(text: impl Display) -> String {
    let mut page = String::new();
    for character in shown(text).chars() {
        if matches!(
            character,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '!'
        ) {
            page.push('\\');
        }
        page.push(character);
    }
    page
}

/// The same for a log line, which has colours of its own: the names that it quotes are already
/// escaped.
pub(crate) fn shown_log(text: &str) -> String {
    escaped(text, |character| matches!(character, '\n' | '\u{1b}'))
}

/// Standard output for people: names are escaped so that a terminal can show them safely.
#[derive(Debug, Clone, Copy)]
pub struct Printed;

impl Write for Printed {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        Output.write_all(shown_lines(&String::from_utf8_lossy(text)).as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Output.flush()
    }
}

fn escaped(text: &str, is_meant: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) && !is_meant(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_harmful(character: char) -> bool {
    let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_or_turns_the_text_is_shown_and_letters_stay() {
        let name = "Ödem 肺\u{1b}[2J\r\u{9b}31m\u{202e}gnp.exe\nnext";
        assert_eq!(shown(name), "Ödem 肺\\u{1b}[2J\\r\\u{9b}31m\\u{202e}gnp.exe\\nnext");
        assert!(shown_lines(name).contains('\n') && !shown_lines(name).contains('\u{1b}'));
        assert!(shown_log(name).contains('\u{1b}') && !shown_log(name).contains('\r'));
    }

    #[test]
    fn a_name_adds_no_markup_to_a_page() {
        let name = "a_b_ <img src=x> [go](javascript:1)\u{1b}";
        assert_eq!(markdown(name), r"a\_b\_ \<img src=x\> \[go\](javascript:1)\\u{1b}");
    }
}
