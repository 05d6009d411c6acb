use config::TrackingConfig;
use mlflow::{Settings, SettingsError};

/// The settings of the server that runs are tracked on; `None` if tracking was not requested.
///
/// It is requested by `MLFLOW_TRACKING_URI`, which also names the server, or by `tracking.enabled`.
/// `lookup` returns the value of an environment variable.
///
/// # Errors
/// When a variable has an unusable value.
pub fn server(
    config: &TrackingConfig,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Option<Settings>, SettingsError> {
    let named = Settings::from_environment(&lookup)?;
    let settings = match named {
        None if config.enabled => Some(Settings::for_server(&config.uri, &lookup)?),
        named => named,
    };
    Ok(settings.map(|settings| Settings {
        experiment: settings.experiment.clone().or_name(&config.experiment),
        ..settings
    }))
}

/// The server, for a program whose purpose is to contact it: running the program is the request.
///
/// # Errors
/// As [`server`].
pub fn demanded_server(
    config: &TrackingConfig,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Settings, SettingsError> {
    let demanded = TrackingConfig { enabled: true, ..config.clone() };
    Ok(server(&demanded, lookup)?.expect("tracking is enabled"))
}

#[cfg(test)]
mod tests {
    use mlflow::ExperimentChoice;

    use super::*;

    fn address(enabled: bool, variables: &[(&str, &str)]) -> Option<String> {
        let config = TrackingConfig {
            enabled,
            uri: "http://host.example:5000".into(),
            ..TrackingConfig::default()
        };
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        server(&config, lookup).unwrap().map(|settings| settings.server.to_string())
    }

    #[test]
    fn nobody_is_told_unless_somebody_asked_for_it() {
        let environment = ("MLFLOW_TRACKING_URI", "http://other.example");
        assert_eq!(address(false, &[]), None);
        assert_eq!(address(false, &[("MLFLOW_TRACKING_URI", "")]), None);
        assert_eq!(address(true, &[]).as_deref(), Some("http://host.example:5000"));
        for enabled in [false, true] {
            let asked = address(enabled, &[environment]);
            assert_eq!(asked.as_deref(), Some("http://other.example"));
        }
    }

    #[test]
    fn the_environments_experiment_wins() {
        let config = TrackingConfig { enabled: true, ..TrackingConfig::default() };
        let experiment = |name: Option<&str>| {
            let lookup = |variable: &str| {
                name.filter(|_| variable == "MLFLOW_EXPERIMENT_NAME").map(str::to_owned)
            };
            server(&config, lookup).unwrap().unwrap().experiment
        };
        assert_eq!(experiment(None), ExperimentChoice::Name("hounsfield".into()));
        assert_eq!(experiment(Some("mine")), ExperimentChoice::Name("mine".into()));
    }
}
