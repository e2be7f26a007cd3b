//! A claim of a paper, judged by what was measured.

use crate::{
    judgement::{Judgement, joined},
    stats::{Mean, Paired},
    sweep::Key,
};
use serde::{Deserialize, Serialize};

/// What measurement says of a claim, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds as stated.
    Confirmed,
    /// It holds in part, or less sharply; the remark says how far.
    Partly,
    /// It does not hold here.
    NotConfirmed,
}

impl Verdict {
    /// All of them, the best first.
    pub const ALL: [Verdict; 3] = [Verdict::Confirmed, Verdict::Partly, Verdict::NotConfirmed];

    /// How many of `claims` have each verdict, as `3 confirmed, 1 partly, 0 not confirmed`.
    pub fn counts<'a>(claims: impl Iterator<Item = &'a Claim> + Clone) -> String {
        let count = |v: Verdict| format!("{} {}", claims.clone().filter(|c| c.verdict == v).count(), v.name());
        Self::ALL.map(count).join(", ")
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Confirmed => "confirmed",
            Verdict::Partly => "partly",
            Verdict::NotConfirmed => "not confirmed",
        }
    }

    /// Confirmed if `whole`, partly if at least `part`.
    pub fn of(whole: bool, part: bool) -> Self {
        match (whole, part) {
            (true, _) => Verdict::Confirmed,
            (false, true) => Verdict::Partly,
            (false, false) => Verdict::NotConfirmed,
        }
    }
}

/// A claim and its judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The figure's name and the claim's own: `accuracy.gap`.
    pub id: String,
    /// What is claimed.
    pub statement: String,
    /// Who claims it.
    pub source: String,
    /// The judgement.
    pub verdict: Verdict,
    /// The number it rests on.
    pub measured: f64,
    /// What the number is, with its unit.
    pub quantity: String,
    /// What it had to be.
    pub wanted: String,
    /// Seeds behind it; 0 if nothing is random.
    pub seeds: usize,
    /// 95 % confidence interval of the number.
    pub interval: Option<[f64; 2]>,
    /// The paired test, where two rules are compared.
    pub test: Option<Paired>,
    /// Where it fails, or how far it holds.
    pub remark: String,
    /// The runs it rests on.
    pub runs: Vec<Key>,
}

impl Claim {
    /// A claim about something computed, without seeds and runs.
    pub fn computed(id: &str, statement: &str, source: &str, verdict: Verdict, measured: f64) -> Self {
        Claim {
            id: id.to_owned(),
            statement: statement.to_owned(),
            source: source.to_owned(),
            verdict,
            measured,
            quantity: String::new(),
            wanted: String::new(),
            seeds: 0,
            interval: None,
            test: None,
            remark: String::new(),
            runs: Vec::new(),
        }
    }

    /// A claim about a mean over seeds; the judgement's doubt becomes a remark.
    pub fn of_mean(id: &str, statement: &str, source: &str, judgement: Judgement, mean: Mean) -> Self {
        let claim = Claim::computed(id, statement, source, judgement.verdict, mean.value);
        Claim { seeds: mean.count, interval: mean.interval, remark: judgement.doubt, ..claim }
    }

    /// Says what the number is and had to be.
    pub fn judged(self, quantity: &str, wanted: &str) -> Self {
        Claim { quantity: quantity.to_owned(), wanted: wanted.to_owned(), ..self }
    }

    /// Puts a remark before those there are; its hyphens before numbers become minus signs.
    pub fn remarked(self, remark: String) -> Self {
        Claim { remark: joined(&remark.replace(" -", " −"), &self.remark), ..self }
    }

    /// Names the runs.
    pub fn from_runs(self, runs: Vec<Key>) -> Self {
        Claim { runs, ..self }
    }
}
