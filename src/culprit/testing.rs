//! A world in which one commit broke something, and cases that lie now and then.

#![allow(clippy::unwrap_used)]

use super::{
    Answer, Group, Limits, Newest, Question, Search, Step, StepOutcome, Witness, next, result,
};
use crate::domain::findings::FlakyRate;
use crate::domain::names::{CaseId, Fingerprint};
use crate::domain::revision::Sha;
use crate::domain::search::SearchResult;

/// Numbers that look random and are the same in every run (xorshift).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            dice.roll();
        }
        dice
    }

    pub(super) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 40).unwrap()) / f64::from(1_u32 << 24)
    }

    pub(super) fn below(&mut self, count: usize) -> usize {
        let count_f = f64::from(u32::try_from(count).unwrap());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = (self.roll() * count_f) as usize;
        at.min(count - 1)
    }
}

pub(super) fn sha(number: usize) -> Sha {
    Sha::parse(&format!("{:08x}{number:032x}", number * 7919 + 1)).unwrap()
}

pub(super) fn case(name: &str) -> CaseId {
    CaseId::parse(name).unwrap()
}

/// How the commits and the cases really are.
pub(super) struct World {
    pub(super) commits: usize,
    /// For each group of cases its culprit's place in the line: 0 when it is the environment, behind the
    /// last when it went by itself.
    pub(super) culprits: Vec<usize>,
    /// Cases of each group.
    pub(super) cases: usize,
    /// The share of attempts that say the opposite.
    pub(super) noise: f64,
    /// What history says of that.
    pub(super) rate: Option<FlakyRate>,
    pub(super) unusable: Vec<usize>,
    pub(super) limits: Limits,
    pub(super) dice: Dice,
}

impl World {
    pub(super) fn new(commits: usize, culprit: usize) -> Self {
        Self {
            commits,
            culprits: vec![culprit],
            cases: 1,
            noise: 0.0,
            rate: None,
            unusable: vec![],
            limits: Limits { max_deploys: 12, confirm: 2 },
            dice: Dice::new(1),
        }
    }

    pub(super) fn search(&self) -> Search {
        let group = |number: usize| Group {
            fingerprint: Fingerprint::new(1, &format!("{number:016x}")),
            witnesses: (0..self.cases)
                .map(|at| Witness::new(case(&format!("g{number}_c{at}")), self.rate))
                .collect(),
        };
        let groups: Vec<Group> = (0..self.culprits.len()).map(group).collect();
        let seen = groups.iter().flat_map(|group| &group.witnesses);
        let at_the_end =
            seen.map(|w| Answer { case: w.case.clone(), passed: 0, failed: 2 }).collect();
        Search {
            cycle: 7,
            line: (0..=self.commits).map(sha).collect(),
            groups,
            at_the_end,
            limits: self.limits,
            steps: vec![],
            newest: Newest { revision: sha(self.commits), is_deployed: true, is_good: false },
            moot: None,
        }
    }

    /// One run of every case on a commit.
    fn run(&mut self, search: &Search, at: usize) -> StepOutcome {
        if self.unusable.contains(&at) {
            return StepOutcome::Unusable;
        }
        let mut answers = Vec::new();
        for (group, culprit) in search.groups.iter().zip(self.culprits.clone()) {
            let is_bad = at >= culprit;
            for witness in &group.witnesses {
                // A retry follows a failed attempt, as in a cycle.
                let mut answer = Answer { case: witness.case.clone(), passed: 0, failed: 0 };
                for _ in 0..2 {
                    let lies = self.dice.roll() < self.noise;
                    if is_bad == lies {
                        answer.passed += 1;
                        break;
                    }
                    answer.failed += 1;
                }
                answers.push(answer);
            }
        }
        StepOutcome::Answered(answers)
    }

    /// Searches to the end.
    ///
    /// # Panics
    /// When the search does not end, or breaks a rule of SPEC section 9.
    pub(super) fn searched(&mut self) -> (Search, SearchResult) {
        let mut search = self.search();
        let mut cycle = 7;
        loop {
            cycle += 1;
            assert!(cycle < 500, "it never ends: {:?}", result(&search));
            match next(&search, true) {
                Question::Over => break,
                Question::Return => {
                    let revision = search.newest.revision.clone();
                    let outcome = self.run(&search, self.commits);
                    search.steps.push(Step {
                        cycle,
                        revision,
                        deployed: true,
                        is_return: true,
                        outcome,
                    });
                    search.newest.is_deployed = true;
                }
                Question::Ask { revision, deploy } => {
                    let at = search.line.iter().position(|sha| *sha == revision).unwrap();
                    assert!(deploy || search.steps.last().unwrap().revision == revision);
                    let outcome = self.run(&search, at);
                    search.steps.push(Step {
                        cycle,
                        revision,
                        deployed: deploy,
                        is_return: false,
                        outcome,
                    });
                    search.newest.is_deployed = at == self.commits;
                }
            }
        }
        let result = result(&search);
        assert!(result.deploys <= self.limits.max_deploys, "{result:?}");
        assert!(search.newest.is_deployed, "it leaves the environment as it should");
        (search, result)
    }
}
