//! Which shard of the work a process does: given as numbers, or by the scheduler that started it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use artifact::Digest;
use serde::{Deserialize, Serialize};

use crate::UsageError;

/// One of `count` shares of a list of files; the first is 0. Shown, parsed and stored as `I/N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shard {
    index: u32,
    count: NonZeroU32,
}

/// Numbers that are no shard. Reads after "failed to use --shard 4/4: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not two numbers with a stroke between them.
    #[error("{0:?} is not I/N, such as 0/4, nor env, nor env/N")]
    NotTwoNumbers(String),
    /// N is 0.
    #[error("there must be 1 shard or more")]
    None,
    /// I is not below N.
    #[error("{count} shards have the numbers 0 to {}, not {index}", count.get() - 1)]
    OutOfRange {
        /// I.
        index: u32,
        /// N.
        count: NonZeroU32,
    },
}

impl Shard {
    /// Share `index` of `count`.
    ///
    /// # Errors
    /// When `index` is not below `count`.
    pub fn new(index: u32, count: NonZeroU32) -> Result<Self, ShardError> {
        if index < count.get() {
            Ok(Self { index, count })
        } else {
            Err(ShardError::OutOfRange { index, count })
        }
    }

    /// Which one, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// All shards of as many, in order.
    pub fn siblings(self) -> impl Iterator<Item = Self> {
        (0..self.count.get()).map(move |index| Self { index, ..self })
    }

    /// Whether something with this digest belongs to the shard. Each digest belongs to one.
    pub fn holds(self, digest: &Digest) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        number % u64::from(self.count.get()) == u64::from(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_two = || ShardError::NotTwoNumbers(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(not_two)?;
        let index = index.parse().map_err(|_| not_two())?;
        let count: u32 = count.parse().map_err(|_| not_two())?;
        Self::new(index, NonZeroU32::new(count).ok_or(ShardError::None)?)
    }
}

impl TryFrom<String> for Shard {
    type Error = ShardError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

/// The value of `--shard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChoice {
    /// `I/N`.
    Numbers(Shard),
    /// `env` or `env/N`: the scheduler says which in the environment, and how many unless it is
    /// given.
    Environment(Option<NonZeroU32>),
}

impl FromStr for ShardChoice {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("env") {
            None => text.parse().map(Self::Numbers),
            Some("") => Ok(Self::Environment(None)),
            Some(count) => {
                let not_two = || ShardError::NotTwoNumbers(text.to_owned());
                let count = count.strip_prefix('/').and_then(|count| count.parse().ok());
                let count: u32 = count.ok_or_else(not_two)?;
                Ok(Self::Environment(Some(NonZeroU32::new(count).ok_or(ShardError::None)?)))
            }
        }
    }
}

const SLURM_ID: &str = "SLURM_ARRAY_TASK_ID";
const SLURM_FIRST: &str = "SLURM_ARRAY_TASK_MIN";
const SLURM_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";

impl ShardChoice {
    /// The shard, looked up in this process' environment if need be.
    ///
    /// # Errors
    /// When the environment does not say which shard, or says one that there is not.
    pub fn resolve(self) -> Result<Shard, UsageError> {
        self.resolve_in(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    fn resolve_in(self, environment: impl Fn(&str) -> Option<String>) -> Result<Shard, UsageError> {
        let count = match self {
            Self::Numbers(shard) => return Ok(shard),
            Self::Environment(count) => count,
        };
        let environment = Environment(environment);
        match (environment.number(SLURM_ID)?, environment.number(KUBERNETES_INDEX)?, count) {
            (Some(_), Some(_), _) => Err(refused(&format!(
                "{SLURM_ID} and {KUBERNETES_INDEX} are both set; say --shard I/N"
            ))),
            (None, None, _) => Err(refused(&format!(
                "neither {SLURM_ID} (a Slurm array) nor {KUBERNETES_INDEX} (a Kubernetes Indexed \
                 Job) is set; say --shard I/N"
            ))),
            (None, Some(_), None) => Err(refused(&format!(
                "{KUBERNETES_INDEX} says which shard, and nothing says of how many; say --shard \
                 env/N, with the completions of the Job as N"
            ))),
            (Some(index), None, Some(count)) => shard_of(SLURM_ID, index, count),
            (None, Some(index), Some(count)) => shard_of(KUBERNETES_INDEX, index, count),
            (Some(id), None, None) => environment.slurm_array(id),
        }
    }
}

/// Where names of variables are looked up.
struct Environment<F>(F);

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    fn number(&self, name: &str) -> Result<Option<u32>, UsageError> {
        let Some(text) = (self.0)(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(refused(&format!("{name} is {text:?}, not a number from 0"))),
        }
    }

    fn needed(&self, name: &str) -> Result<u32, UsageError> {
        let missing = || refused(&format!("{SLURM_ID} is set, but {name} is not; say --shard I/N"));
        self.number(name)?.ok_or_else(missing)
    }

    /// The array's first task is shard 0, and it has as many shards as tasks.
    fn slurm_array(&self, id: u32) -> Result<Shard, UsageError> {
        let (first, count) = (self.needed(SLURM_FIRST)?, self.needed(SLURM_COUNT)?);
        let index = id.checked_sub(first);
        let shard = index.zip(NonZeroU32::new(count)).map(|(index, it)| Shard::new(index, it));
        shard.and_then(Result::ok).ok_or_else(|| {
            refused(&format!(
                "{SLURM_ID} is {id}, {SLURM_FIRST} {first} and {SLURM_COUNT} {count}: the tasks \
                 are not numbered one after the other; say sbatch --array=0-{}, or --shard env/N",
                count.saturating_sub(1)
            ))
        })
    }
}

fn shard_of(name: &str, index: u32, count: NonZeroU32) -> Result<Shard, UsageError> {
    Shard::new(index, count).map_err(|error| refused(&format!("{name} is {index}: {error}")))
}

fn refused(reason: &str) -> UsageError {
    UsageError(format!("find the shard in the environment: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(choice: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let of = |name: &str| {
            let variable = variables.iter().find(|(known, _)| *known == name);
            variable.map(|(_, value)| (*value).to_owned())
        };
        let choice: ShardChoice = choice.parse().unwrap();
        choice.resolve_in(of).map(|it| it.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_digest_belongs_to_one_shard() {
        for count in [1, 2, 3, 7, 64] {
            let count = NonZeroU32::new(count).unwrap();
            for number in 0..200_u32 {
                let digest = Digest::of(&number.to_le_bytes());
                let shards = (0..count.get()).map(|index| Shard::new(index, count).unwrap());
                assert_eq!(shards.filter(|shard| shard.holds(&digest)).count(), 1);
            }
        }
    }

    #[test]
    fn numbers_that_are_no_shard_are_refused_with_those_that_are() {
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
        for (text, said) in [
            ("4/4", "numbers 0 to 3, not 4"),
            ("0/0", "1 shard or more"),
            ("env/0", "1 shard or more"),
            ("2", "\"2\" is not I/N"),
            ("-1/4", "is not I/N"),
            ("a/b", "is not I/N"),
            ("environment", "is not I/N"),
            ("env/", "is not I/N"),
        ] {
            let error = text.parse::<ShardChoice>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_slurm_array_says_which_task_and_of_how_many() {
        let array = |id| [(SLURM_ID, id), (SLURM_FIRST, "1"), (SLURM_COUNT, "4")];
        assert_eq!(found("env", &array("1")).unwrap(), "0/4");
        assert_eq!(found("env", &array("4")).unwrap(), "3/4");
        // One task of four, submitted again by itself.
        let alone = [(SLURM_ID, "2"), (SLURM_FIRST, "2"), (SLURM_COUNT, "1")];
        assert_eq!(found("env/4", &alone).unwrap(), "2/4");
    }

    #[test]
    fn a_kubernetes_job_says_which_and_the_command_of_how_many() {
        assert_eq!(found("env/4", &[(KUBERNETES_INDEX, "3")]).unwrap(), "3/4");
        assert_eq!(found("1/4", &[(KUBERNETES_INDEX, "3")]).unwrap(), "1/4");
    }

    #[test]
    fn what_was_read_where_is_told() {
        let gaps = [(SLURM_ID, "7"), (SLURM_FIRST, "1"), (SLURM_COUNT, "3")];
        for (choice, variables, said) in [
            ("env", &[][..], "neither SLURM_ARRAY_TASK_ID"),
            ("env/4", &[], "nor JOB_COMPLETION_INDEX"),
            ("env", &[(KUBERNETES_INDEX, "3")], "--shard env/N"),
            ("env/4", &[(KUBERNETES_INDEX, "4")], "JOB_COMPLETION_INDEX is 4: 4 shards have"),
            ("env/4", &[(KUBERNETES_INDEX, "x")], "JOB_COMPLETION_INDEX is \"x\", not a number"),
            ("env", &[(SLURM_ID, "1")], "SLURM_ARRAY_TASK_MIN is not"),
            ("env", &gaps, "SLURM_ARRAY_TASK_ID is 7, SLURM_ARRAY_TASK_MIN 1"),
            ("env/4", &[(SLURM_ID, "1"), (KUBERNETES_INDEX, "3")], "are both set"),
        ] {
            let error = found(choice, variables).unwrap_err();
            assert!(error.contains(said), "{choice}: {error}");
        }
    }
}
