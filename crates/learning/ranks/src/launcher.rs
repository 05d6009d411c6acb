//! Which launcher started this process, and with how many others.

use std::fmt;

/// What a launcher says in the environment of each process that it starts.
///
/// Open MPI's `mpirun` sets `OMPI_COMM_WORLD_SIZE`; MPICH's, Intel's and `srun --mpi=pmi2` set
/// `PMI_SIZE`; `srun --mpi=pmix` sets `PMIX_RANK` beside Slurm's own `SLURM_STEP_NUM_TASKS`. Slurm's
/// variables alone are no sign of one: each task of `srun` without MPI has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    launcher: &'static str,
    /// How many processes it started.
    pub count: usize,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.launcher)
    }
}

/// The launcher of this process; none if it was started by itself.
pub fn started() -> Option<Started> {
    of_environment(|name| std::env::var(name).ok())
}

fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Started> {
    let count = |name| variable(name)?.parse().ok();
    let slurm = variable("SLURM_STEP_ID").is_some();
    if let Some(count) = count("OMPI_COMM_WORLD_SIZE") {
        return Some(Started { launcher: "mpirun", count });
    }
    if let Some(count) = count("PMI_SIZE") {
        return Some(Started { launcher: if slurm { "srun" } else { "mpirun" }, count });
    }
    variable("PMIX_RANK")?;
    Some(Started { launcher: "srun", count: count("SLURM_STEP_NUM_TASKS")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<(String, usize)> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name);
        let started = of_environment(|name| find(name).map(|(_, value)| (*value).to_owned()))?;
        Some((started.to_string(), started.count))
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "4")]), Some(("mpirun".into(), 4)));
        assert_eq!(of(&[("PMI_SIZE", "3"), ("PMI_RANK", "1")]), Some(("mpirun".into(), 3)));
        let slurm = [("SLURM_STEP_ID", "0"), ("SLURM_STEP_NUM_TASKS", "2"), ("PMIX_RANK", "1")];
        assert_eq!(of(&slurm), Some(("srun".into(), 2)));
    }

    #[test]
    fn a_process_of_its_own_has_none_even_in_a_batch_script() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0")]), None);
        let task = [("SLURM_STEP_ID", "0"), ("SLURM_STEP_NUM_TASKS", "2")];
        assert_eq!(of(&task), None);
    }
}
