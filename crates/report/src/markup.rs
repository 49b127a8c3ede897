//! How does foreign text stand in a page? As text, whatever it holds: for HTML, and for Markdown.

use maud::{Markup, html};

use crate::words::clean;

/// The text in HTML, with what stands between backticks as code.
pub(crate) fn prose(text: &str) -> Markup {
    let text = clean(text);
    let parts: Vec<&str> = text.split('`').collect();
    // Without a partner a backtick is only a letter.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
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
    fn code_in_html_is_shown_as_code_and_nothing_is_left_to_mean_something() {
        let shown = |text| prose(text).into_string();
        assert_eq!(shown("alarm `A<b>` is red"), "alarm <code>A&lt;b&gt;</code> is red");
        assert_eq!(shown("a ` alone <"), "a ` alone &lt;");
        assert_eq!(shown("<script>\"1\" & 2</script>"), "&lt;script&gt;&quot;1&quot; &amp; 2&lt;/script&gt;");
    }

    #[test]
    fn nothing_in_markdown_is_left_to_mean_something() {
        assert_eq!(plain("a|b <img> **c** [d](e) `f` @g"), "a\\|b &lt;img\\> \\*\\*c\\*\\* \\[d\\](e) \\`f\\` @\u{2060}g");
        assert_eq!(code("a `b` | c"), "``a `b` \\| c``");
        assert_eq!(code("`b"), "`` `b ``");
        assert_eq!(code("plain"), "`plain`");
    }
}
