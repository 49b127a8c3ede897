//! How does foreign text stand in a page? As text, whatever it holds: for HTML, and for Markdown.

use crate::words::clean;

/// The text with everything that means something in HTML, in an attribute's value too, said by name.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in clean(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

/// The same, with what stands between backticks as code.
pub(crate) fn prose(text: &str) -> String {
    let text = escaped(text);
    let parts: Vec<&str> = text.split('`').collect();
    // Without a partner a backtick is only a letter.
    if parts.len().is_multiple_of(2) {
        return text;
    }
    let shown = |(index, part): (usize, &&str)| {
        if index % 2 == 1 { format!("<code>{part}</code>") } else { (*part).to_owned() }
    };
    parts.iter().enumerate().map(shown).collect()
}

/// The text as a page in Markdown shows it, in a cell of a table too: a backslash before everything that could mean something.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in clean(text).chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            // A name behind it would be told of this; the letter joins nothing and shows nothing.
            '@' => out.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '>' => out.extend(['\\', letter]),
            letter => out.push(letter),
        }
    }
    out
}

/// The text as code in Markdown, which ends at no backtick of its own and at no border of a table.
pub(crate) fn code(text: &str) -> String {
    let text = clean(text).replace('|', "\\|");
    let runs = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(runs + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_html_is_left_to_mean_something() {
        assert_eq!(
            escaped("<script>alert('1' & \"2\")</script>"),
            "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;"
        );
    }

    #[test]
    fn code_is_shown_as_code() {
        assert_eq!(prose("alarm `A<b>` is red"), "alarm <code>A&lt;b&gt;</code> is red");
        assert_eq!(prose("a ` alone <"), "a ` alone &lt;");
    }

    #[test]
    fn nothing_in_markdown_is_left_to_mean_something() {
        assert_eq!(plain("a|b <img> **c** [d](e) `f` @g"), "a\\|b &lt;img\\> \\*\\*c\\*\\* \\[d\\](e) \\`f\\` @\u{2060}g");
        assert_eq!(code("a `b` | c"), "``a `b` \\| c``");
        assert_eq!(code("`b"), "`` `b ``");
        assert_eq!(code("plain"), "`plain`");
    }
}
