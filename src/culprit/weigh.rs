//! How much an attempt says, and what all of them together say about each commit.

use super::{Answer, Group, Search, StepOutcome};
use crate::domain::findings::FlakyRate;
use crate::domain::search::SearchAnswer;

/// A commit is called good or bad when that is so many times as likely as the opposite.
const SURE: f64 = 9_700.0;
/// The attempts of one run share a deploy and an environment: together they say no more than this.
const MOST_OF_A_RUN: f64 = 99.0;
/// So probable, a failure is called gone.
const LIKELY: f64 = 0.9;
/// What is thought before anybody was asked: that it is no commit at all, …
const PRIOR_BASELINE_FAILS: f64 = 0.10;
/// … or that it has gone by itself. The rest is shared by the commits alike.
const PRIOR_GONE: f64 = 0.05;

/// No case is thought to be steadier than this, …
const LEAST_NOISE: f64 = 0.01;
/// … and none so unsteady that nothing could be learnt from it.
const MOST_NOISE: f64 = 0.45;

/// How often a case is at odds with itself. A short history says little: it is taken together with ten
/// runs of a case that is at odds with itself once in fifty.
pub(super) fn noise_of(rate: Option<FlakyRate>) -> f64 {
    let Some(FlakyRate { flaky, of }) = rate else { return LEAST_NOISE };
    ((f64::from(flaky) + 0.2) / (f64::from(of) + 10.0)).clamp(LEAST_NOISE, MOST_NOISE)
}

/// What all attempts of a group say about one revision.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    /// The logarithm of how much likelier the attempts are when the revision is bad.
    pub(super) towards_bad: f64,
    /// How many times the cases ran.
    pub(super) runs: u32,
    /// How many steps could not ask it.
    unusable: u32,
}

impl Weight {
    fn add(&mut self, group: &Group, answers: &[Answer]) {
        let (mut sum, mut runs) = (0.0, 0);
        for witness in &group.witnesses {
            let Some(answer) = answers.iter().find(|answer| answer.case == witness.case) else {
                continue;
            };
            let one = ((1.0 - witness.noise) / witness.noise).ln();
            sum += one * (f64::from(answer.failed) - f64::from(answer.passed));
            runs = runs.max(answer.passed + answer.failed);
        }
        let most = MOST_OF_A_RUN.ln() * f64::from(runs);
        self.towards_bad += sum.clamp(-most, most);
        self.runs += runs;
    }

    /// What they say.
    pub(super) fn answer(self, confirm: u32) -> SearchAnswer {
        if self.runs == 0 && self.unusable > 0 {
            SearchAnswer::Unusable
        } else if self.runs < confirm || self.towards_bad.abs() < SURE.ln() {
            SearchAnswer::Unclear
        } else if self.towards_bad > 0.0 {
            SearchAnswer::Bad
        } else {
            SearchAnswer::Good
        }
    }
}

/// What is known of each revision of the line, for one group.
#[derive(Debug, Clone)]
pub(super) struct Line {
    weights: Vec<Weight>,
    /// The part of the last weight that comes from the cycle that is searched.
    before: Weight,
    confirm: u32,
}

impl Line {
    pub(super) fn of(search: &Search, group: &Group) -> Self {
        let mut weights = vec![Weight::default(); search.line.len()];
        let last = weights.len() - 1;
        weights[last].add(group, &search.at_the_end);
        let before = weights[last];
        for step in &search.steps {
            let Some(at) = search.line.iter().position(|sha| *sha == step.revision) else {
                continue;
            };
            match &step.outcome {
                StepOutcome::Answered(answers) => weights[at].add(group, answers),
                StepOutcome::Unusable => weights[at].unusable += 1,
                StepOutcome::Cancelled => {}
            }
        }
        Self { weights, before, confirm: search.limits.confirm }
    }

    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn at(&self, position: usize) -> Weight {
        self.weights[position]
    }

    pub(super) fn answer(&self, position: usize) -> SearchAnswer {
        self.weights[position].answer(self.confirm)
    }

    /// How probable each hypothesis is: at `0`, that the baseline fails, too; at `k`, that commit `k` of
    /// the line broke it; behind the last, that it has gone by itself.
    pub(super) fn posterior(&self) -> Vec<f64> {
        let commits = self.len() - 1;
        let (none, gone) = (PRIOR_BASELINE_FAILS, PRIOR_GONE);
        let each = (1.0 - none - gone) / as_f64(commits);
        let prior = |k: usize| match k {
            0 => none,
            k if k <= commits => each,
            _ => gone,
        };
        // Under hypothesis k everything from k on is bad. What has gone by itself was there before.
        let likelihood = |k: usize| {
            let bad: f64 = self.weights[k.min(self.len())..].iter().map(|w| w.towards_bad).sum();
            if k > commits { self.before.towards_bad } else { bad }
        };
        let logs: Vec<f64> = (0..=commits + 1).map(|k| f64::ln(prior(k)) + likelihood(k)).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let all: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / all).collect()
    }

    /// The commit of the line that is likeliest, and how probable it is.
    pub(super) fn likeliest(&self) -> (usize, f64) {
        let posterior = self.posterior();
        let commits = 1..self.len();
        let best = commits.max_by(|a, b| posterior[*a].total_cmp(&posterior[*b]));
        let best = best.expect("a line has a commit after the baseline");
        (best, posterior[best])
    }

    /// Whether the failure came and went without a commit, as far as anybody can tell.
    pub(super) fn has_gone(&self) -> bool {
        self.end_was_asked() && self.posterior()[self.len()] > LIKELY
    }

    /// Whether the last revision was asked since the cycle that is searched.
    pub(super) fn end_was_asked(&self) -> bool {
        self.weights[self.len() - 1].runs > self.before.runs
    }

    /// The commit that broke it, when it is confirmed bad and its parent good.
    pub(super) fn found(&self) -> Option<(usize, f64)> {
        let (best, confidence) = self.likeliest();
        let is_confirmed = self.answer(best) == SearchAnswer::Bad
            && self.answer(best - 1) == SearchAnswer::Good
            && confidence > 0.5;
        is_confirmed.then_some((best, confidence))
    }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
