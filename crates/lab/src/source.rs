//! Where in which file something was said, and the one-line errors that point there.

use std::fmt;
use std::sync::Arc;

/// One scenario file: its name as people know it, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path, or the built-in lab's name.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A stretch of one file, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub source: Arc<Source>,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// A span; offsets beyond the text or inside a character are moved down to the nearest legal place.
    pub fn new(source: &Arc<Source>, start: usize, end: usize) -> Span {
        let start = floor_char_boundary(&source.text, start);
        let end = floor_char_boundary(&source.text, end).max(start);
        Span { source: source.clone(), start, end }
    }

    /// The part of this span that begins `offset` bytes in and is `len` bytes long.
    pub fn part(&self, offset: usize, len: usize) -> Span {
        let start = self.start.saturating_add(offset);
        Span::new(&self.source, start, start.saturating_add(len))
    }

    /// Line and column, both from 1; columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = &self.source.text[..self.start];
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[line_start..].chars().count() + 1)
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What is wrong with a scenario, where, and the way out. `Display` gives the location line, the hint line,
/// and the offending line with a caret below it; the first line alone says everything needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where; `None` for a value that came from the command line.
    pub span: Option<Span>,
    /// What is wrong, completing "failed to read the scenario: ...".
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Error {
    /// An error at a place.
    pub fn at(span: &Span, message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error { span: Some(span.clone()), message: message.into(), hint: hint.into() }
    }

    /// An error that belongs to no file.
    pub fn bare(message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error { span: None, message: message.into(), hint: hint.into() }
    }

    /// The first line: `FILE:LINE:COLUMN: message`, or the message alone.
    pub fn headline(&self) -> String {
        match &self.span {
            Some(span) => {
                let (line, column) = span.line_column();
                one_line(&format!("{}:{line}:{column}: {}", span.source.name, self.message))
            }
            None => one_line(&self.message),
        }
    }

    /// The offending line with a caret line below it, indented by two; `None` without a place or if it is blank. Long lines are
    /// cut around the place, and control characters are shown as `.`.
    pub fn excerpt(&self) -> Option<String> {
        const WIDTH: usize = 76;
        let span = self.span.as_ref()?;
        let text = &span.source.text;
        let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[span.start..].find('\n').map_or(text.len(), |at| span.start + at);
        let line: Vec<char> = text[line_start..line_end]
            .chars()
            .map(|c| match c {
                '\t' => ' ',
                c if c.is_control() => '.',
                c => c,
            })
            .collect();
        if line.iter().all(|c| c.is_whitespace()) {
            return None;
        }
        let column = text[line_start..span.start].chars().count();
        let marked = text[span.start..span.end.clamp(span.start, line_end)].chars().count();
        // Keep some context left of the place when the line is too long to show whole.
        let from = if line.len() <= WIDTH || column < WIDTH - 20 { 0 } else { column - 20 };
        let shown: String = line.iter().skip(from).take(WIDTH).collect();
        let (lead, pad) = if from > 0 { ("...", 3) } else { ("", 0) };
        let marked = marked.clamp(1, WIDTH.saturating_sub(column - from).max(1));
        Some(format!(
            "  {lead}{}\n  {}{}",
            shown.trim_end(),
            " ".repeat(pad + column - from),
            "^".repeat(marked)
        ))
    }
}

/// Messages quote what was written, which may be anything: control characters are escaped and the middle of
/// very long text is left out.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 240;
    let mut out = String::new();
    let skip = text.chars().count().saturating_sub(LONGEST);
    for (index, c) in text.chars().enumerate() {
        match c {
            _ if skip > 0 && index == LONGEST / 2 => out.push_str("..."),
            _ if skip > 0 && (LONGEST / 2..LONGEST / 2 + skip).contains(&index) => {}
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.headline(), one_line(&self.hint))?;
        match self.excerpt() {
            Some(excerpt) => write!(f, "\n{excerpt}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The word among `known` that `word` is most likely a slip of, if any is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(64).collect();
    let allowed = (word.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.chars().collect::<Vec<_>>()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `X`?" if a known word is near, else a list of the known words.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            match all.len() {
                0 => "there is none to choose from".to_string(),
                1..=24 => format!("known here: {}", all.join(", ")),
                more => format!("known here: {}, ... ({more} in all)", all[..20].join(", ")),
            }
        }
    }
}

/// Damerau-Levenshtein distance (optimal string alignment): a swap of neighbours counts one.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let same = a[i].eq_ignore_ascii_case(&b[j]);
            next[j + 1] = (row[j] + usize::from(!same)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                next[j + 1] = next[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["delay", "rate", "loss", "queue"];
        assert_eq!(nearest("dely", known), Some("delay"));
        assert_eq!(nearest("dealy", known), Some("delay"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(suggest("zebra", known), "known here: delay, rate, loss, queue");
    }

    #[test]
    fn the_excerpt_points_at_the_place_even_in_a_long_line() {
        let source = Arc::new(Source {
            name: "x.toml".into(),
            text: format!("{}BAD{}\n", "a".repeat(200), "b".repeat(99)),
        });
        let excerpt = Error::at(&Span::new(&source, 200, 203), "m", "h").excerpt().unwrap();
        let (line, caret) = excerpt.split_once('\n').unwrap();
        assert_eq!(&line[caret.find('^').unwrap()..][..3], "BAD");
        assert!(line.len() <= 82);
    }

    #[test]
    fn spans_outside_the_text_are_drawn_in() {
        let source = Arc::new(Source { name: "x".into(), text: "ä".into() });
        let span = Span::new(&source, 1, 900);
        assert_eq!((span.start, span.end), (0, 2));
        assert_eq!(Error::at(&span, "m", "h").to_string(), "x:1:1: m\nhint: h\n  ä\n  ^");
    }
}
