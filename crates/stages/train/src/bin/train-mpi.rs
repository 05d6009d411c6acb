//! Stage 4, `train`, linked to the MPI library of the machine: processes that mpirun or srun starts
//! share a training by epochs.

use std::process::ExitCode;

fn main() -> ExitCode {
    train::start()
}
