//! What is tolerated, what is bet on, and how sure one has to be? Defaults and their limits. Holds no counts.

/// What the test tolerates, promises and looks for. [`Parameters::default`] is for errors.
///
/// The fields are free to be set; [`Parameters::check`] and everything that begins a test refuse what makes no sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// `α`, above 0 and below 1: the largest chance of a false rollback over a whole rollout, where `share` is 1.
    pub alpha: f64,
    /// `ρ`, 1 to 1,000: a canary whose rate of bad invocations is up to this many times stable's, and `margin` more, is tolerated.
    pub ratio: f64,
    /// `δ`, a fraction of invocations from 0 to below 1: 0.0005 tolerates 0.05 percentage points beyond the ratio.
    pub margin: f64,
    /// `g`, each above 1 and at most 10⁶, at most 20 of them: bet on the canary being `ratio · g` times as bad as stable.
    pub alternatives: Vec<f64>,
    /// Bet on an outage of the canary alone. Valid while invocations of one version share one rate within a bucket.
    pub outage: Option<Outage>,
    /// `h`, above 0 and below 1: how much of the bet says that the trouble begins at once.
    pub start: f64,
    /// The invocations of both versions that close a bucket, 1 to 10¹².
    pub bucket_min: f64,
    /// The bad invocations of the canary without which nothing is rolled back, 0 to 10¹².
    pub min_canary_bad: f64,
    /// The evidence `E`, above 1, from which the weight is better not raised.
    pub hold_at: f64,
    /// The part of `alpha` that is this test's, above 0 and at most 1: tests side by side share the promise.
    pub share: f64,
}

/// A canary that fails while stable does not: the rates of bad invocations that are bet on, as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outage {
    /// Stable's rate, above 0.
    pub stable: f64,
    /// The canary's, below 1, and above what is tolerated at stable's.
    pub canary: f64,
}

/// Why parameters make no test: the one that is wrong, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParameterError(String);

impl Default for Parameters {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            ratio: 1.25,
            margin: 0.0005,
            alternatives: vec![1.5, 3.0, 8.0, 40.0, 1000.0],
            outage: Some(Outage { stable: 0.02, canary: 0.9 }),
            start: 0.8,
            bucket_min: 10.0,
            min_canary_bad: 3.0,
            hold_at: 5.0,
            share: 1.0,
        }
    }
}

impl Parameters {
    /// The share of `alpha` that is left to errors where latency is enforced beside them.
    pub const ERRORS_SHARE: f64 = 0.8;

    /// The share of `alpha` that is latency's where it is enforced.
    pub const LATENCY_SHARE: f64 = 0.2;

    /// For slow invocations: stable's limit is frozen before the rollout, so that `margin` has to cover what it wanders.
    ///
    /// Use 0.02 for a limit at the 90th percentile and 0.01 at the 99th. No outage is bet on: slow invocations come in clusters.
    pub fn latency(margin: f64) -> Self {
        Self {
            ratio: 1.0,
            margin,
            alternatives: vec![1.5, 2.5, 5.0, 10.0],
            outage: None,
            min_canary_bad: 5.0,
            share: Self::LATENCY_SHARE,
            ..Self::default()
        }
    }

    /// The logarithm of the evidence that rolls back: `−ln(α · share)`, above 0.
    pub fn ln_threshold(&self) -> f64 {
        -(self.alpha * self.share).ln()
    }

    /// How many bets there are.
    pub(crate) fn bets(&self) -> u8 {
        let bets = self.alternatives.len() + usize::from(self.outage.is_some());
        u8::try_from(bets).unwrap_or(u8::MAX)
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A number out of the range that its field states; no alternative at all, or more than 20; an outage that is tolerated.
    pub fn check(&self) -> Result<(), ParameterError> {
        within("bound on false rollbacks", self.alpha, |it| it > 0.0 && it < 1.0, "above 0 and below 1")?;
        within("tolerated ratio", self.ratio, |it| (1.0..=1000.0).contains(&it), "between 1 and 1,000")?;
        within("tolerated margin", self.margin, |it| (0.0..1.0).contains(&it), "between 0 and 1, below 1")?;
        within("start of the degradation", self.start, |it| it > 0.0 && it < 1.0, "above 0 and below 1")?;
        within("size of a bucket", self.bucket_min, |it| (1.0..=1e12).contains(&it), "between 1 and 10¹² invocations")?;
        within(
            "minimum number of failed invocations",
            self.min_canary_bad,
            |it| (0.0..=1e12).contains(&it),
            "between 0 and 10¹²",
        )?;
        within("evidence to hold at", self.hold_at, |it| it > 1.0 && it.is_finite(), "above 1")?;
        within("share of the bound", self.share, |it| it > 0.0 && it <= 1.0, "above 0 and at most 1")?;
        within("bound times its share", self.alpha * self.share, |it| it > 0.0, "above 0")?;
        for alternative in &self.alternatives {
            within("alternative", *alternative, |it| it > 1.0 && it <= 1e6, "above 1 and at most 10⁶")?;
        }
        if self.alternatives.len() > 20 {
            return Err(ParameterError(format!("{} alternatives: the maximum is 20", self.alternatives.len())));
        }
        if self.bets() == 0 {
            return Err(ParameterError("a test needs at least one alternative".to_owned()));
        }
        let Some(Outage { stable, canary }) = self.outage else { return Ok(()) };
        within("outage's rate of stable", stable, |it| it > 0.0 && it < 1.0, "above 0 and below 1")?;
        let tolerated = self.ratio * stable + self.margin;
        if canary > tolerated && canary < 1.0 {
            return Ok(());
        }
        let wanted = format!("the canary's rate must be above the tolerated {tolerated} and below 1");
        Err(ParameterError(format!("an outage from {stable} to {canary}: {wanted}")))
    }
}

/// Refuses a number out of its range, which is given as a rule and in words.
pub(crate) fn within(name: &str, value: f64, holds: impl Fn(f64) -> bool, range: &str) -> Result<(), ParameterError> {
    if holds(value) { Ok(()) } else { Err(ParameterError(format!("the {name} is {value}: it must be {range}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(Parameters::default().check(), Ok(()));
        assert_eq!(Parameters::latency(0.02).check(), Ok(()));
        assert_eq!(Parameters::default().bets(), 6);
        assert_eq!(Parameters::latency(0.01).bets(), 4);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let said = |set: &dyn Fn(&mut Parameters)| {
            let mut parameters = Parameters::default();
            set(&mut parameters);
            parameters.check().unwrap_err().to_string()
        };
        assert_eq!(said(&|it| it.alpha = 0.0), "the bound on false rollbacks is 0: it must be above 0 and below 1");
        assert_eq!(said(&|it| it.alpha = f64::NAN), "the bound on false rollbacks is NaN: it must be above 0 and below 1");
        assert_eq!(said(&|it| it.ratio = 0.9), "the tolerated ratio is 0.9: it must be between 1 and 1,000");
        assert_eq!(said(&|it| it.margin = 1.0), "the tolerated margin is 1: it must be between 0 and 1, below 1");
        assert_eq!(said(&|it| it.start = 1.0), "the start of the degradation is 1: it must be above 0 and below 1");
        assert_eq!(said(&|it| it.bucket_min = 0.5), "the size of a bucket is 0.5: it must be between 1 and 10¹² invocations");
        assert_eq!(
            said(&|it| it.min_canary_bad = -1.0),
            "the minimum number of failed invocations is -1: it must be between 0 and 10¹²"
        );
        assert_eq!(said(&|it| it.hold_at = 1.0), "the evidence to hold at is 1: it must be above 1");
        assert_eq!(said(&|it| it.share = 1.5), "the share of the bound is 1.5: it must be above 0 and at most 1");
        assert_eq!(said(&|it| it.alternatives = vec![1.0]), "the alternative is 1: it must be above 1 and at most 10⁶");
        assert_eq!(said(&|it| it.alternatives = vec![2.0; 21]), "21 alternatives: the maximum is 20");
        assert_eq!(said(&|it| (it.alternatives, it.outage) = (Vec::new(), None)), "a test needs at least one alternative");
        assert_eq!(
            said(&|it| it.outage = Some(Outage { stable: 0.4, canary: 0.45 })),
            "an outage from 0.4 to 0.45: the canary's rate must be above the tolerated 0.5005 and below 1"
        );
    }
}
