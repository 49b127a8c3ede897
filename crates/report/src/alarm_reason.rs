//! What does `CloudWatch` mean by its reason? Its sentence about datapoints, as value, comparator and threshold: `7 ≥ 1`.
//!
//! AWS does not specify the sentence: any other text stays unchanged.

const OPENING: &str = "Threshold Crossed: ";

/// The same text with the sentence about datapoints, if it holds one, written as arithmetic.
pub(crate) fn in_figures(text: &str) -> String {
    let Some((before, sentence)) = text.split_once(OPENING) else { return text.to_owned() };
    match figures(sentence) {
        Some((figures, rest)) => format!("{before}{figures}{rest}"),
        None => text.to_owned(),
    }
}

/// The figures of a sentence, and what follows it.
fn figures(sentence: &str) -> Option<(String, &str)> {
    let (head, rest) = sentence.split_once('[')?;
    let (points, rest) = rest.split_once("] ")?;
    let rest = rest.strip_prefix("was ").or_else(|| rest.strip_prefix("were "))?;
    let (not, rest) = rest.strip_prefix("not ").map_or((false, rest), |rest| (true, rest));
    let (comparator, rest) = comparator(not, rest)?;
    let (threshold, rest) = rest.strip_prefix(" the threshold (")?.split_once(')')?;
    let values: Option<Vec<&str>> = points.split(", ").map(|point| number(point.split(' ').next()?)).collect();
    let values = values?.join(", ");
    let of = match head.trim_end().strip_suffix(" datapoints").and_then(|head| head.split_once(" out of the last ")) {
        Some((_, "1")) | None => String::new(),
        Some((crossing, looked_at)) => format!(" in {crossing} of {looked_at}"),
    };
    Some((format!("{values} {comparator} {}{of}", number(threshold)?), after(rest)))
}

fn comparator(not: bool, text: &str) -> Option<(&'static str, &str)> {
    // The longer phrase of each pair first: the shorter one is its beginning.
    let rows = [
        ("greater than or equal to", "≥", "<"),
        ("greater than", ">", "≤"),
        ("less than or equal to", "≤", ">"),
        ("less than", "<", "≥"),
    ];
    let found = |(phrase, plain, negated): &(&str, &'static str, &'static str)| {
        text.strip_prefix(phrase).map(|rest| (if not { *negated } else { *plain }, rest))
    };
    rows.iter().find_map(found)
}

/// A number as it was written, without decimals that say nothing.
fn number(text: &str) -> Option<&str> {
    let _: f64 = text.parse().ok()?;
    Some(text.strip_suffix(".0").unwrap_or(text))
}

/// What follows the sentence: its count of datapoints needed and its full stop are left out.
fn after(rest: &str) -> &str {
    let needed = rest.strip_prefix(" (minimum ").and_then(|rest| rest.split_once(')'));
    let rest = needed.map_or(rest, |(_, rest)| rest);
    rest.strip_prefix('.').unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_sentences_that_are_known() {
        let rows = [
            (
                "Threshold Crossed: 1 out of the last 1 datapoints [7.0 (23/11/26 14:03:00)] was greater than or equal to the \
                 threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition).",
                "7 ≥ 1",
            ),
            (
                "Threshold Crossed: 2 out of the last 3 datapoints [7.25 (23/11/26 14:03:00), 5.0 (23/11/26 14:02:00)] were \
                 greater than the threshold (0.5) (minimum 2 datapoints for OK -> ALARM transition).",
                "7.25, 5 > 0.5 in 2 of 3",
            ),
            ("Threshold Crossed: 1 datapoint [0.0 (05/02/18 06:28:00)] was not less than the threshold (-1.0).", "0 ≥ -1"),
            (
                "alarm `A` went to ALARM at 14:03:58 (Threshold Crossed: 1 datapoint [7.0 (a)] was less than the threshold (9.0).)",
                "alarm `A` went to ALARM at 14:03:58 (7 < 9)",
            ),
        ];
        for (sentence, figures) in rows {
            assert_eq!(in_figures(sentence), figures);
        }
    }

    #[test]
    fn leaves_every_other_text_as_it_is() {
        for text in [
            "",
            "tested manually",
            "Threshold Crossed: ",
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching].",
            "Threshold Crossed: 1 datapoint [x (05/02/18)] was greater than the threshold (1.0).",
            "Threshold Crossed: 1 datapoint [1.0 (05/02/18)] was near the threshold (1.0).",
            "Threshold Crossed: 1 datapoint [1.0 (05/02/18)] was greater than the threshold (1.0",
        ] {
            assert_eq!(in_figures(text), text);
        }
    }
}
