"""Settings of models that are trained in seconds."""

PROGRAMS = ["ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"]

CLASSES = ["adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma"]

FINDINGS = [
    "exact_copies",
    "near_copies",
    "leaks",
    "label_conflicts",
    "blank",
    "outliers",
    "burnt_in_marks",
    "same_scan",
    "unreadable",
    "class_imbalance",
    "shortcuts",
]

# Every head, each with its own size: 32 pixels leave one cell of the last block, 70 are not a multiple of 32, so that a
# pooling drops a row somewhere. A head without standardisation has small inputs and starts at zero: it needs larger
# steps to learn anything in a few epochs.
HEADS = {
    "flatten": {"kind": "flatten", "hidden_units": 0, "image_size": 64, "rate": 0.005},
    "flatten_hidden": {"kind": "flatten", "hidden_units": 24, "image_size": 32, "rate": 0.001},
    "global_pool": {"kind": "global_pool", "hidden_units": 0, "image_size": 70, "rate": 0.005},
    "global_pool_hidden": {"kind": "global_pool", "hidden_units": 16, "image_size": 32, "rate": 0.005},
    "linear": {"kind": "linear", "hidden_units": 0, "image_size": 70},
    "kernel": {"kind": "kernel", "hidden_units": 0, "image_size": 64},
}


def training(head):
    """The parameters of `train` for a head: the values to choose from, or the settings of gradient descent."""
    if "rate" in head:
        return {
            "solve": None,
            "descent": {
                "epochs": 4,
                "batch_size": 8,
                "optimizer": "adam",
                "learning_rate": head["rate"],
            },
        }
    widths = [0.5, 2.0] if head["kind"] == "kernel" else []
    cuts = [["block4_pool"], ["block1_pool", "block3_pool", "block5_pool"]]
    return {
        "solve": {"folds": 2, "strengths": [0.3, 3.0], "widths": widths, "cuts": cuts},
        "descent": None,
    }


def params(head):
    """params.yaml for a model that is trained in seconds. JSON is YAML."""
    return {
        "ingest": {
            "seed": 1,
            "split": {"train": 0.5, "valid": 0.2, "test": 0.3},
            "on_unreadable": "fail",
            "sample": {"images": 40},
        },
        "validation": {
            "seed": 1,
            "resplit": False,
            "policy": dict.fromkeys(FINDINGS, "warn"),
        },
        "prepare_base": {
            "image_size": head["image_size"],
            "weights": "random",
            "seed": 1,
            "freeze": "all",
            "head": {
                "kind": head["kind"],
                "hidden_units": head["hidden_units"],
                "dropout": 0.25 if head["hidden_units"] else 0.0,
            },
        },
        "train": {
            "seed": 1,
            **training(head),
            "class_weights": "none",
            "precision": "fp32",
            "device": "cpu",
            "normalisation": "imagenet",
            "permute_labels": False,
        },
        "select": {
            "checkpoint_pattern": r"model_e\d+_acc\d\.\d+_vacc(\d\.\d+)\.safetensors",
        },
        "calibrate": {"device": "cpu", "seed": 1, "out_of_fold_below": 0, "folds": 3},
        "evaluate": {
            "device": "cpu",
            "seed": 1,
            "bootstrap_resamples": 100,
            "control_refits": 0,
            "probes": False,
            "explanations": 0,
        },
    }
