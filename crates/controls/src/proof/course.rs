//! Lets a proof be written as it goes, step after step, though it begins anew each time: steps that the
//! transcript holds are walked through, and the first that it does not hold is what is done next.

use ringfort_model::act::{Act, Next, Seen, Transcript};

/// Where a proof is on its way through the transcript.
pub(crate) struct Course<'a> {
    transcript: &'a Transcript,
    at: usize,
}

/// Walks a proof's course. What its walk gives by `?` is what is done next.
pub(crate) fn course<'a>(
    transcript: &'a Transcript,
    walk: impl FnOnce(&mut Course<'a>) -> Result<Next, Next>,
) -> Next {
    walk(&mut Course { transcript, at: 0 }).unwrap_or_else(|next| next)
}

impl<'a> Course<'a> {
    /// Does acts side by side and gives them with what came of them.
    pub(crate) fn step(&mut self, acts: Vec<Act>) -> Result<&'a [(Act, Seen)], Next> {
        let end = self.at + acts.len();
        match self.transcript.get(self.at..end) {
            Some(done) => {
                self.at = end;
                Ok(done)
            }
            None => Err(Next::Do(acts.into_iter().skip(self.transcript.len() - self.at).collect())),
        }
    }

    /// Looks again and again until what is seen is as it should be, or the looks are used up; gives what
    /// was seen last.
    pub(crate) fn until(
        &mut self,
        looks: (usize, u64),
        acts: impl Fn() -> Vec<Act>,
        is_well: impl Fn(&[(Act, Seen)]) -> bool,
    ) -> Result<&'a [(Act, Seen)], Next> {
        let count = acts().len();
        let last = |all: &'a [(Act, Seen)]| &all[all.len() - count..];
        self.until_all(looks, acts, |all| is_well(last(all))).map(last)
    }

    /// As [`Self::until`], with all that was seen in all looks, from the first on.
    pub(crate) fn until_all(
        &mut self,
        (looks, pause_ms): (usize, u64),
        acts: impl Fn() -> Vec<Act>,
        is_well: impl Fn(&'a [(Act, Seen)]) -> bool,
    ) -> Result<&'a [(Act, Seen)], Next> {
        let begin = self.at;
        self.step(acts())?;
        for _ in 1..looks {
            if is_well(&self.transcript[begin..self.at]) {
                break;
            }
            let mut again = vec![Act::Wait { ms: pause_ms }];
            again.extend(acts());
            self.step(again)?;
        }
        Ok(&self.transcript[begin..self.at])
    }

    /// Gives all that was done and seen up to here.
    pub(crate) fn so_far(&self) -> &'a Transcript {
        &self.transcript[..self.at]
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::act::{Act, Next, Seen};

    use super::course;

    #[test]
    fn a_course_goes_on_from_where_the_transcript_ends() {
        let wait = |ms| Act::Wait { ms };
        let walk = |transcript: &[(Act, Seen)]| {
            course(transcript, |course| {
                course.step(vec![wait(1), wait(2)])?;
                course.until((3, 9), || vec![wait(3)], |_| false)?;
                Ok(Next::Do(vec![]))
            })
        };
        let mut transcript = Vec::new();
        let mut done = Vec::new();
        loop {
            match walk(&transcript) {
                Next::Do(acts) if !acts.is_empty() => {
                    for act in acts {
                        done.push(act.clone());
                        transcript.push((act, Seen::Done));
                    }
                }
                _ => break,
            }
        }
        assert_eq!(done, [1, 2, 3, 9, 3, 9, 3].map(wait));
        assert_eq!(walk(&transcript[..1]), Next::Do(vec![wait(2)]));
    }
}
