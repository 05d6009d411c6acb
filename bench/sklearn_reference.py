"""Fits one head with scikit-learn on features in files; prints one line of JSON.

    sklearn_reference.py DESCRIPTION.json --model svc

The description is that of `crates/learning/solvers/examples/head.rs`, which fits the same features.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

LANDMARKS = 2048
# scikit-learn's own limit of 100 ends long before the optimum, with a warning.
ITERATIONS = 1000


def model_of(name: str, described: dict[str, Any]) -> Any:
    """A model with scikit-learn's defaults, except for the values in the description."""
    strength = described["strength"]
    gamma = 1 / (described["width"] * described["columns"]) if described.get("width") else None
    if name == "svc":
        return SVC(C=strength, gamma=gamma)
    regression = LogisticRegression(C=strength, max_iter=ITERATIONS)
    if name == "logistic":
        return regression
    return make_pipeline(Nystroem(gamma=gamma, n_components=LANDMARKS, random_state=described["seed"]), regression)


def read(files: dict[str, str], columns: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    features = numpy.fromfile(files["features"], dtype=numpy.float32).reshape(-1, columns)
    return features, numpy.fromfile(files["labels"], dtype=numpy.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("description", type=Path)
    parser.add_argument("--model", choices=["svc", "logistic", "nystroem"], required=True)
    options = parser.parse_args()
    described = json.loads(options.description.read_text())
    features, labels = read(described["train"], described["columns"])
    # The input need not be kept: a copy would count as memory of the peer.
    scaler = StandardScaler(copy=False)
    model = model_of(options.model, described)
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(scaler.fit_transform(features), labels)
    seconds = time.perf_counter() - started
    test, test_labels = read(described["test"], described["columns"])
    accuracy = float(model.score(scaler.transform(test), test_labels))
    converged = not any(issubclass(each.category, ConvergenceWarning) for each in caught)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "accuracy": accuracy,
                "converged": converged,
                "versions": {"scikit-learn": sklearn.__version__, "numpy": numpy.__version__},
            }
        )
    )


if __name__ == "__main__":
    main()
