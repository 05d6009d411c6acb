//! The Python environment for loading the model: three files, because MLflow supports three ways.

use classifier::bases::Base;
use classifier::description::ModelDescription;
use serde_json::json;

/// The Python version that the loader is tested with.
pub(crate) const PYTHON: &str = "3.11";

/// The packages that the loader imports for VGG, which it computes itself. `tests/registry` compares them with those that it is
/// tested with.
const REQUIREMENTS: &str = "\
mlflow>=3
numpy
pandas
pillow
safetensors
torch>=2.11
";

/// What it needs for any other base.
const OTHER_BASES: &str = "timm>=1.0.20\n";

/// `requirements.txt` for a model, which may be an ensemble on several bases.
pub(crate) fn requirements(model: &ModelDescription) -> String {
    let mut bases = model.ensemble.iter().map(|member| member.model.architecture.base);
    let is_vgg = model.architecture.base.is_vgg() && bases.all(Base::is_vgg);
    let others = if is_vgg { "" } else { OTHER_BASES };
    format!("{REQUIREMENTS}{others}")
}

pub(crate) const REQUIREMENTS_FILE: &str = "requirements.txt";
pub(crate) const VIRTUALENV_FILE: &str = "python_env.yaml";
pub(crate) const CONDA_FILE: &str = "conda.yaml";

/// `python_env.yaml`.
pub(crate) fn virtualenv() -> String {
    let file = json!({
        "python": PYTHON,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    });
    yaml(&file)
}

/// `conda.yaml`.
pub(crate) fn conda(model: &ModelDescription) -> String {
    let requirements = requirements(model);
    let packages: Vec<&str> = requirements.lines().collect();
    let file = json!({
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [format!("python={PYTHON}"), "pip", { "pip": packages }],
    });
    yaml(&file)
}

pub(crate) fn yaml(value: &serde_json::Value) -> String {
    serde_yaml::to_string(value).expect("JSON can be written as YAML")
}
