/// A text as YAML reads it back, within a list too: quoted where it would be something else.
pub fn yaml_text(text: &str) -> String {
    // To YAML 1.1, which some readers still speak, these are booleans.
    let is_word = ["y", "n", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    let is_plain = !is_word
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' '));
    let yaml = serde_yaml::to_string(text).unwrap_or_default();
    // JSON's quotes are YAML's too.
    if is_plain && yaml.trim_end() == text {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_something_else() {
        assert_eq!(yaml_text("Größe 2"), "Größe 2");
        assert_eq!(yaml_text("no"), "\"no\"");
        assert_eq!(yaml_text("1.5"), "\"1.5\"");
        assert_eq!(yaml_text("a: b, [c]"), "\"a: b, [c]\"");
        for text in ["no", "~", "a #b", "-1", "'x'", "\"", "0x1f", "null", "tab\t", "a, b", "]"] {
            let list = format!("[{}]", yaml_text(text));
            let read: Vec<String> = serde_yaml::from_str(&list).unwrap();
            assert_eq!(read, [text]);
        }
    }
}
