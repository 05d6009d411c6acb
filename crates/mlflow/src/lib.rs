//! A client of MLflow's REST interface.
