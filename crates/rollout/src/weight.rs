//! How much traffic, and to which version? Weights in basis points, versions as numbers.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::format::percent;

/// The weight of an alias' invocations that goes to one version, in basis points: 0 to 10,000.
///
/// Never a float inside: two weights are equal or they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Weight(u16);

impl Weight {
    /// No invocations at all.
    pub const ZERO: Self = Self(0);
    /// Every call.
    pub const FULL: Self = Self(10_000);

    /// What stands for every call where AWS refuses a weight of exactly 1: one call in 10,000 stays on stable.
    pub const ALMOST_FULL: Self = Self(9_999);

    /// Whether a weight that was read is this weight as it would have been written.
    pub fn stands_for(self, share: Self) -> bool {
        self == share || (share == Self::FULL && self == Self::ALMOST_FULL)
    }

    /// A weight of `points` basis points, or `None` above 10,000.
    pub const fn from_basis_points(points: u16) -> Option<Self> {
        if points <= 10_000 { Some(Self(points)) } else { None }
    }

    /// The weight that AWS writes as a fraction from 0 to 1, rounded to the nearest basis point.
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        let points = (fraction * 10_000.0).round();
        if !(0.0..=10_000.0).contains(&points) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within 0 and 10,000")]
        Some(Self(points as u16))
    }

    /// The weight as AWS takes it: a fraction from 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// The weight in basis points.
    pub const fn basis_points(self) -> u16 {
        self.0
    }

    /// Whether this is no weight at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is left for the other version.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(10_000 - self.0)
    }

    /// The number before the per-cent sign, with as few decimals as it needs: `30`, `2.5`, `0.01`.
    pub fn percent(self) -> String {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        match part {
            0 => format!("{whole}"),
            part if part % 10 == 0 => format!("{whole}.{}", part / 10),
            part => format!("{whole}.{part:02}"),
        }
    }

    /// Reads a number of percent from 0 to 100 with at most two decimals: `30`, `2.5`, `0.01`.
    pub fn parse_percent(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return None;
        }
        let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 100)?;
        let part: u16 = format!("{part:0<2}").parse().ok()?;
        Self::from_basis_points(whole * 100 + part)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&percent(self.percent()))
    }
}

/// As JSON a weight is the fraction that AWS uses, 0 to 1.
impl Serialize for Weight {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.fraction())
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fraction = f64::deserialize(deserializer)?;
        Self::from_fraction(fraction).ok_or_else(|| serde::de::Error::custom("a weight must be between 0 and 1"))
    }
}

/// The number of a published version: 1 or more. `$LATEST` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(NonZeroU64);

impl Version {
    /// The version with this number; `None` for 0.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was given is not the number of a published version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the number of a published version: digits only, 1 or more")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number = if digits { text.parse().ok() } else { None };
        number.map(Self).ok_or_else(|| VersionError(text.to_owned()))
    }
}

/// As JSON a version is a string, as AWS has it.
impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_survives_the_fraction_and_the_text() {
        for points in 0..=10_000 {
            let weight = Weight::from_basis_points(points).unwrap();
            assert_eq!(Weight::from_fraction(weight.fraction()), Some(weight));
            assert_eq!(Weight::parse_percent(&weight.percent()), Some(weight));
        }
        assert_eq!(Weight::from_basis_points(10_001), None);
    }

    #[test]
    fn refuses_what_is_no_percentage() {
        for text in ["", "-1", "101", "656", "100.01", "1.234", "1.", ".5", "1e1", "٣", "999999", "NaN"] {
            assert_eq!(Weight::parse_percent(text), None, "{text}");
        }
        assert_eq!(Weight::from_fraction(f64::NAN), None);
        assert_eq!(Weight::from_fraction(1.5), None);
    }

    #[test]
    fn versions_are_plain_positive_numbers() {
        assert_eq!("42".parse(), Ok(Version::new(42).unwrap()));
        for text in ["", "0", "042", "-1", "+1", "$LATEST", "99999999999999999999999"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
