use serde::{Deserialize, Serialize};

use crate::refusal::{Refusal, require};

/// How `train` starts the processes that share a training by epochs. Scores do not depend on it, but
/// for the last digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LauncherConfig {
    /// The program that starts them.
    pub program: Launcher,
    /// How many processes share a training.
    pub processes: u32,
    /// More arguments of that program, such as `--hostfile` and a file.
    pub arguments: Vec<String>,
    /// How long a process waits for an answer of the others before all end.
    pub time_limit_seconds: u64,
}

/// A program that starts the same program several times, on one machine or many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Launcher {
    /// There is one process.
    None,
    /// Of an MPI library.
    Mpirun,
    /// Of Slurm.
    Srun,
}

impl Launcher {
    /// The command; none for one process.
    pub fn command(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Mpirun => Some("mpirun"),
            Self::Srun => Some("srun"),
        }
    }
}

impl Default for LauncherConfig {
    fn default() -> Self {
        Self {
            program: Launcher::None,
            processes: 1,
            arguments: Vec::new(),
            time_limit_seconds: 60,
        }
    }
}

impl LauncherConfig {
    /// The command line that starts several processes, up to the program itself; none if there is
    /// to be one process.
    pub fn command_line(&self) -> Option<Vec<String>> {
        let command = self.program.command().filter(|_| self.processes > 1)?;
        let mut line = vec![command.to_owned(), "-n".to_owned(), self.processes.to_string()];
        line.extend(self.arguments.iter().cloned());
        Some(line)
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(self.processes > 0, "launcher.processes", 0, "1 or more")?;
        require(
            self.program != Launcher::None || self.processes == 1,
            "launcher.processes",
            self.processes,
            "1, where launcher.program is none; mpirun or srun start several",
        )?;
        require(
            self.program != Launcher::None || self.arguments.is_empty(),
            "launcher.arguments",
            format!("{:?}", self.arguments),
            "none, where launcher.program is none",
        )?;
        require(self.time_limit_seconds > 0, "launcher.time_limit_seconds", 0, "1 second or more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> LauncherConfig {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn several_processes_are_started_with_the_arguments_given() {
        let config = of("{program: mpirun, processes: 4, arguments: [--hostfile, hosts]}");
        config.check().unwrap();
        let line = config.command_line().unwrap();
        assert_eq!(line, ["mpirun", "-n", "4", "--hostfile", "hosts"]);
    }

    #[test]
    fn one_process_needs_no_launcher() {
        assert_eq!(LauncherConfig::default().command_line(), None);
        assert_eq!(of("{program: srun, processes: 1}").command_line(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        for (text, key) in [
            ("{program: mpirun, processes: 0}", "launcher.processes"),
            ("{processes: 4}", "launcher.processes"),
            ("{arguments: [--oversubscribe]}", "launcher.arguments"),
            ("{time_limit_seconds: 0}", "launcher.time_limit_seconds"),
        ] {
            assert_eq!(of(text).check().unwrap_err().key, key, "{text}");
        }
    }
}
