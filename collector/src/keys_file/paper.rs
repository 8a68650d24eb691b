//! The two keys on paper: a sheet that is shown once, and a few of its words typed back.
//!
//! Words on a screen were copied only when somebody reads them from the paper. So the sheet is out of sight when a few
//! of its words, drawn anew each time, are asked for.

use std::io::{BufRead, Write};

use ntk_evidence::trust::TrustFile;

use super::{Secret, TakenAway};

/// Words of each key that are asked for.
pub const ASKED: usize = 4;
/// Wrong answers, in all, after which the paper is taken for a wrong one.
const WRONG_MAX: usize = 12;
/// The longest answer that is read, in bytes; the longest word of the list has 8.
const ANSWER_MAX: u64 = 256;

/// The words are not on paper.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// Nobody answered.
    #[error(
        "the words were not typed back to the end; nothing was made or changed, and these words belong to no practice"
    )]
    Ended,
    /// Too many wrong ones.
    #[error(
        "{WRONG_MAX} answers were wrong; nothing was made or changed, and these words belong to no practice: begin again with new ones"
    )]
    Wrong,
    /// The terminal.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] std::io::Error),
}

/// A word that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Of which key.
    pub which: Secret,
    /// Which word, from 1.
    pub number: usize,
}

/// The sheet: everything that a paper must hold of these keys, for a screen of 80 columns or a page.
pub fn sheet(keys: &TakenAway, trust: &TrustFile, shown: &[Secret]) -> String {
    let mut text = format!(
        "Need-to-Know: keys of {} ({})\n\
         The practice key's public half in twelve words (these may be shown to anybody):\n  {}\n",
        trust.practice,
        trust.slug,
        trust.practice_words()
    );
    for which in shown.iter().copied() {
        text.push_str(&format!("\n{}, 24 words (show them to nobody)\n", which.label()));
        for (row, words) in keys.words(which).chunks(4).enumerate() {
            for (column, word) in words.iter().enumerate() {
                let number = row.saturating_mul(4).saturating_add(column).saturating_add(1);
                text.push_str(&format!("  {number:>2} {word:<10}"));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
    }
    text
}

/// Which words are asked for: [`ASKED`] different ones of each key that was shown, drawn by random bytes.
pub fn questions(random: &[u8; 32], shown: &[Secret]) -> Vec<Question> {
    let mut bytes = random.iter().map(|byte| usize::from(*byte));
    let mut drawn = Vec::new();
    for which in shown.iter().copied() {
        let mut numbers: Vec<usize> = (1..=24).collect();
        for byte in bytes.by_ref().take(ASKED) {
            let at = byte.checked_rem(numbers.len()).unwrap_or(0);
            drawn.push(Question { which, number: numbers.remove(at) });
        }
    }
    drawn
}

/// Asks until every word is right; a wrong one is asked for again.
pub fn type_back(
    keys: &TakenAway,
    questions: &[Question],
    answers: &mut dyn BufRead,
    screen: &mut dyn Write,
) -> Result<(), PaperError> {
    let mut wrong = 0usize;
    for question in questions {
        let words = keys.words(question.which);
        let right = words.get(question.number.saturating_sub(1));
        loop {
            write!(screen, "{}, word {}: ", question.which.label(), question.number)?;
            screen.flush()?;
            let mut answer = String::new();
            if std::io::Read::take(&mut *answers, ANSWER_MAX).read_line(&mut answer)? == 0 {
                return Err(PaperError::Ended);
            }
            if right.is_some_and(|right| answer.trim().eq_ignore_ascii_case(right)) {
                break;
            }
            wrong = wrong.saturating_add(1);
            if wrong >= WRONG_MAX {
                return Err(PaperError::Wrong);
            }
            writeln!(screen, "That is not the word. Look at the paper, not at a memory of the screen.")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> TakenAway {
        TakenAway::new([1; 32], [2; 32])
    }

    fn answer(text: &str, questions: &[Question]) -> (Result<(), PaperError>, String) {
        let mut screen = Vec::new();
        let ended = type_back(&keys(), questions, &mut text.as_bytes(), &mut screen);
        (ended, String::from_utf8(screen).unwrap())
    }

    fn right(questions: &[Question]) -> Vec<String> {
        questions.iter().map(|asked| keys().words(asked.which)[asked.number - 1].clone()).collect()
    }

    #[test]
    fn four_different_words_of_each_key_are_asked_for_whatever_the_random_bytes() {
        for random in [[0; 32], [255; 32], [23; 32], [7; 32]] {
            let asked = questions(&random, &Secret::BOTH);
            for which in Secret::BOTH {
                let mut numbers: Vec<usize> =
                    asked.iter().filter(|asked| asked.which == which).map(|asked| asked.number).collect();
                assert!(numbers.iter().all(|number| (1..=24).contains(number)));
                numbers.sort_unstable();
                numbers.dedup();
                assert_eq!(numbers.len(), ASKED);
            }
        }
    }

    #[test]
    fn right_words_in_any_case_end_it_and_a_wrong_one_is_asked_for_again() {
        let asked = questions(&[5; 32], &Secret::BOTH);
        let (ended, _) = answer(&right(&asked).join("\n").to_uppercase(), &asked);
        assert!(ended.is_ok());
        let (ended, screen) = answer(&format!("zoo\n{}\n", right(&asked).join("\n")), &asked);
        assert!(ended.is_ok());
        assert_eq!(screen.matches("That is not the word").count(), 1);
    }

    #[test]
    fn words_of_the_other_key_silence_and_guessing_do_not_pass() {
        let asked = questions(&[5; 32], &Secret::BOTH);
        assert!(matches!(answer("", &asked).0, Err(PaperError::Ended)));
        let all_but_one = right(&asked)[1..].join("\n");
        assert!(matches!(answer(&all_but_one, &asked).0, Err(PaperError::Ended)));
        assert!(matches!(answer(&"zoo\n".repeat(50), &asked).0, Err(PaperError::Wrong)));
        assert!(matches!(answer(&"z".repeat(100_000), &asked).0, Err(PaperError::Wrong)));
    }

    #[test]
    fn what_stands_on_the_sheet_makes_the_same_keys_again() {
        let trust = crate::init::trust_for_tests([1; 32], [2; 32], crate::clock::Clock::system().now());
        let sheet = sheet(&keys(), &trust, &Secret::BOTH);
        for which in Secret::BOTH {
            let part = sheet.split(&format!("{}, 24 words", which.label())).nth(1).unwrap();
            let words: Vec<&str> = part
                .lines()
                .skip(1)
                .take(6)
                .flat_map(str::split_whitespace)
                .filter(|word| word.parse::<u8>().is_err())
                .collect();
            assert_eq!(words, keys().words(which));
        }
        assert!(sheet.lines().all(|line| line.len() <= 100));
    }
}
