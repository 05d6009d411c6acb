//! The progress of a training, read from the output of `dvc repro`.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Number of log lines that are kept.
const LINES: usize = 400;

/// The longest line that is kept, in characters.
const LONGEST_LINE: usize = 2000;

/// What `GET /train` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Progress {
    pub(crate) state: State,
    pub(crate) id: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) finished_at: Option<String>,
    /// The stage that runs.
    pub(crate) stage: Option<String>,
    pub(crate) stages: Vec<Stage>,
    /// The last lines.
    #[schema(value_type = Vec<String>)]
    pub(crate) log: VecDeque<String>,
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    #[default]
    Idle,
    Running,
    Succeeded,
    Failed,
}

/// One stage of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) state: StageState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StageState {
    Waiting,
    Running,
    Done,
    /// Nothing it depends on has changed.
    Skipped,
    Failed,
}

/// What came of a training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Outcome {
    /// Whether the new model answers now.
    pub(crate) promoted: bool,
    pub(crate) reason: String,
}

/// The events for listeners.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A line of the log.
    Log(String),
    /// The whole state.
    State(Box<Progress>),
}

impl Progress {
    pub(crate) fn started(id: String, at: Timestamp, stages: Vec<String>) -> Self {
        let waiting = |name| Stage { name, state: StageState::Waiting };
        Self {
            state: State::Running,
            id: Some(id),
            started_at: Some(at.to_string()),
            stages: stages.into_iter().map(waiting).collect(),
            ..Self::default()
        }
    }

    /// Stores a line, and returns whether it announced a stage.
    pub(crate) fn read_line(&mut self, line: &str) -> bool {
        if self.log.len() == LINES {
            self.log.pop_front();
        }
        self.log.push_back(line.chars().take(LONGEST_LINE).collect());
        let quoted = |rest: &str| rest.split('\'').next().map(str::to_owned);
        if let Some(stage) = line.strip_prefix("Running stage '").and_then(quoted) {
            self.settle(StageState::Done);
            self.set(&stage, StageState::Running);
            self.stage = Some(stage);
            return true;
        }
        if let Some(rest) = line.strip_prefix("Stage '")
            && (line.contains("didn't change") || line.contains("is cached"))
            && let Some(stage) = quoted(rest)
        {
            self.settle(StageState::Done);
            self.set(&stage, StageState::Skipped);
            return true;
        }
        false
    }

    /// Ends the running stage.
    pub(crate) fn settle(&mut self, state: StageState) {
        if let Some(stage) = self.stage.take() {
            self.set(&stage, state);
        }
    }

    pub(crate) fn finished(&mut self, at: Timestamp, state: State, outcome: Outcome) {
        self.settle(if state == State::Failed { StageState::Failed } else { StageState::Done });
        self.finished_at = Some(at.to_string());
        self.state = state;
        self.outcome = Some(outcome);
    }

    fn set(&mut self, name: &str, state: StageState) {
        for stage in self.stages.iter_mut().filter(|stage| stage.name == name) {
            stage.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Progress {
        let stages = ["ingest", "train", "select"].map(str::to_owned).to_vec();
        Progress::started("1".into(), Timestamp::UNIX_EPOCH, stages)
    }

    fn states(progress: &Progress) -> Vec<StageState> {
        progress.stages.iter().map(|stage| stage.state).collect()
    }

    #[test]
    fn stages_are_followed_as_dvc_tells_of_them() {
        let mut progress = started();
        assert!(progress.read_line("Stage 'ingest' didn't change, skipping"));
        assert!(progress.read_line("Running stage 'train':"));
        assert!(!progress.read_line("> scripts/stage train"));
        assert_eq!(
            states(&progress),
            [StageState::Skipped, StageState::Running, StageState::Waiting]
        );
        assert_eq!(progress.stage.as_deref(), Some("train"));
        assert!(progress.read_line("Running stage 'select':"));
        assert_eq!(states(&progress), [StageState::Skipped, StageState::Done, StageState::Running]);
    }

    #[test]
    fn the_stage_that_ran_when_it_failed_is_the_one_that_failed() {
        let mut progress = started();
        progress.read_line("Running stage 'train':");
        let outcome = Outcome { promoted: false, reason: "it failed".into() };
        progress.finished(Timestamp::UNIX_EPOCH, State::Failed, outcome);
        assert_eq!(
            states(&progress),
            [StageState::Waiting, StageState::Failed, StageState::Waiting]
        );
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut progress = started();
        for number in 0..LINES + 10 {
            progress.read_line(&number.to_string());
        }
        assert_eq!((progress.log.len(), progress.log[0].as_str()), (LINES, "10"));
    }
}
