"""The usual Keras project: ImageDataGenerator, frozen VGG16, flatten, dense softmax, Adam.

Each mode is a whole process that prints one line of JSON. `usual` settings are those of such
projects (Keras 3, graph mode); `best` are the documented ones for speed: tf.data, prefetching,
features of the frozen base computed once; `--bf16` adds the mixed_bfloat16 policy, `--jit` XLA.

    keras_reference.py features --images DIR --settings best --bf16
    keras_reference.py train --images DIR --valid DIR --steps 4 --augment
    keras_reference.py prepare --model base.keras
    keras_reference.py evaluate --images DIR --model base.keras
    keras_reference.py predict --images DIR
    keras_reference.py unzip --archive scans.zip --into DIR
"""

import time

STARTED = time.perf_counter()

import argparse
import json
import os
import statistics
import sys
import zipfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The augmentation of the common tutorials. `shear_range` is in degrees.
AUGMENTATION = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}
# Keras' names of the convolutions, and torchvision's.
CONVOLUTIONS = {
    "block1_conv1": 0,
    "block1_conv2": 2,
    "block2_conv1": 5,
    "block2_conv2": 7,
    "block3_conv1": 10,
    "block3_conv2": 12,
    "block3_conv3": 14,
    "block4_conv1": 17,
    "block4_conv2": 19,
    "block4_conv3": 21,
    "block5_conv1": 24,
    "block5_conv2": 26,
    "block5_conv3": 28,
}


def vgg16(options: argparse.Namespace) -> Any:
    import keras

    size = options.image_size
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(size, size, 3))
    if options.weights is not None:
        from safetensors.numpy import load_file

        tensors = load_file(options.weights)
        for name, index in CONVOLUTIONS.items():
            kernel = tensors[f"features.{index}.weight"].transpose(2, 3, 1, 0)
            base.get_layer(name).set_weights([kernel, tensors[f"features.{index}.bias"]])
    return base


def classifier(options: argparse.Namespace) -> Any:
    """The frozen base with a fresh head, compiled."""
    import keras

    base = vgg16(options)
    base.trainable = False
    outputs = keras.layers.Dense(options.classes, activation="softmax", dtype="float32")(
        keras.layers.Flatten()(base.output)
    )
    model = keras.Model(base.input, outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-4),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=options.eager,
        jit_compile="auto" if options.jit == "auto" else options.jit == "on",
    )
    return model


def generator(folder: Path, options: argparse.Namespace, shuffle: bool, augment: bool) -> Any:
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    size = options.image_size
    return ImageDataGenerator(rescale=1.0 / 255, **(AUGMENTATION if augment else {})).flow_from_directory(
        str(folder),
        target_size=(size, size),
        batch_size=options.batch,
        shuffle=shuffle,
        interpolation="bilinear",
        class_mode="categorical",
        seed=17,
    )


def prefetched(folder: Path, options: argparse.Namespace, augment: bool) -> Any:
    """The same images through tf.data: decoded and augmented in parallel, ahead of the model."""
    import keras
    import tensorflow as tf

    size = options.image_size
    data = keras.utils.image_dataset_from_directory(
        str(folder),
        label_mode="categorical",
        batch_size=options.batch,
        image_size=(size, size),
        shuffle=False,
        interpolation="bilinear",
        verbose=False,
    )
    changes: list[Any] = [keras.layers.Rescaling(1.0 / 255)]
    if augment:
        changes += [
            keras.layers.RandomRotation(40 / 360, seed=17),
            keras.layers.RandomTranslation(0.2, 0.2, seed=17),
            keras.layers.RandomZoom(0.2, seed=17),
            keras.layers.RandomFlip("horizontal", seed=17),
        ]

    def change(images: Any, labels: Any) -> Any:
        for layer in changes:
            images = layer(images, training=True)
        return images, labels

    return data.map(change, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def extract(options: argparse.Namespace) -> tuple[dict[str, float], Any]:
    """Features of `steps` batches, timed after the first, which is traced."""
    import numpy as np
    import tensorflow as tf

    base = vgg16(options)
    forward = tf.function(lambda images: base(images, training=False), jit_compile=options.jit == "on")
    if options.settings == "best":
        batches = (images for images, _ in prefetched(options.images, options, options.augment))
    else:
        source = generator(options.images, options, shuffle=False, augment=options.augment)
        batches = (source[at][0] for at in range(len(source)))
    startup = time.perf_counter() - STARTED
    started = after_first = time.perf_counter()
    features, counted = [], 0
    for at, images in enumerate(batches):
        if options.steps and at == options.steps:
            break
        features.append(tf.cast(forward(images), tf.float32).numpy().reshape(len(images), -1))
        if at == 0:
            after_first = time.perf_counter()
        else:
            counted += len(images)
    if counted == 0:
        sys.exit("too few images: the first batch only warms up")
    seconds = time.perf_counter() - after_first
    return {
        "startup_s": startup,
        "images": counted,
        "first_batch_s": after_first - started,
        "s_per_image": seconds / counted,
        "images_per_s": counted / seconds,
    }, np.concatenate(features)


def features(options: argparse.Namespace) -> dict[str, Any]:
    return extract(options)[0]


def phase_times(folder: Path) -> tuple[list[Any], list[dict[str, float]]]:
    """Callbacks that write a checkpoint each epoch, and the list of seconds of each part."""
    import keras

    epochs: list[dict[str, float]] = []
    clock = time.perf_counter

    class Phases(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            epochs.append({"began": clock()})

        def on_test_begin(self, logs: Any = None) -> None:
            epochs[-1]["train_s"] = clock() - epochs[-1]["began"]
            epochs[-1]["test_began"] = clock()

        def on_test_end(self, logs: Any = None) -> None:
            epochs[-1]["valid_s"] = clock() - epochs[-1]["test_began"]

    class Checkpoints(keras.callbacks.ModelCheckpoint):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            before = clock()
            super().on_epoch_end(epoch, logs)
            epochs[-1]["save_s"] = clock() - before

    folder.mkdir(parents=True, exist_ok=True)
    return [Phases(), Checkpoints(str(folder / "model_e{epoch:02d}.keras"))], epochs


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Trains an epoch of one batch, in which Keras traces the model; then timed epochs of a few batches."""
    if options.settings == "best":
        return train_on_features(options)
    model = classifier(options)
    train_set = generator(options.images, options, shuffle=True, augment=options.augment)
    valid_set = generator(options.valid, options, shuffle=False, augment=False)
    steps = min(options.steps or len(train_set), len(train_set))
    valid_steps = min(options.valid_steps or len(valid_set), len(valid_set))
    callbacks, epochs = phase_times(options.checkpoints)
    startup = time.perf_counter() - STARTED
    for count, batches, valid_batches in [(1, 1, 1), (options.epochs, steps, valid_steps)]:
        model.fit(
            train_set,
            epochs=count,
            steps_per_epoch=batches,
            validation_data=valid_set,
            validation_steps=valid_batches,
            callbacks=callbacks,
            verbose=0,
        )
    first, rest = epochs[0], epochs[1:]
    learnt = min(steps * options.batch, train_set.samples)
    scored = min(valid_steps * options.batch, valid_set.samples)
    learn_s, score_s, save_s = (
        statistics.median(epoch[part] for epoch in rest) for part in ("train_s", "valid_s", "save_s")
    )
    expected_s = learn_s / steps + score_s / valid_steps
    return {
        "startup_s": startup,
        "train_images": learnt,
        "valid_images": scored,
        "warm_up_s": max(0.0, first["train_s"] + first["valid_s"] - expected_s),
        "train_s_per_image": learn_s / learnt,
        "valid_s_per_image": score_s / scored,
        "save_s": save_s,
    }


def train_on_features(options: argparse.Namespace) -> dict[str, Any]:
    """Computes features once, then trains only the head, over as many records as the whole set has."""
    import keras
    import numpy as np

    figures, records = extract(options)
    at = np.arange(options.train_images) % len(records)
    records, labels = records[at], keras.utils.to_categorical(at % options.classes, options.classes)
    before = time.perf_counter()
    head = keras.Sequential(
        [keras.Input((records.shape[1],)), keras.layers.Dense(options.classes, activation="softmax", dtype="float32")]
    )
    head.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-4), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    head.fit(
        records,
        labels,
        batch_size=options.batch,
        epochs=options.epochs,
        validation_data=(records[: options.batch * 4], labels[: options.batch * 4]),
        verbose=0,
    )
    return {**figures, "head_s": time.perf_counter() - before, "epochs": options.epochs}


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """The step that builds the model and saves it, before and after the head is added."""
    model = classifier(options)
    options.model.parent.mkdir(parents=True, exist_ok=True)
    vgg16(options).save(options.model.with_name("base_" + options.model.name))
    model.save(options.model)
    return {"bytes": options.model.stat().st_size}


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """The step that loads the model and scores the test images."""
    import keras

    model = keras.models.load_model(options.model)
    test_set = generator(options.images, options, shuffle=False, augment=False)
    startup = time.perf_counter() - STARTED
    model.evaluate(test_set, steps=1, verbose=0)
    warm = time.perf_counter()
    steps = min(options.steps or len(test_set), len(test_set))
    model.evaluate(test_set, steps=steps, verbose=0)
    images = min(steps * options.batch, test_set.samples)
    return {
        "startup_s": startup,
        "first_batch_s": warm - startup - STARTED,
        "images": images,
        "s_per_image": (time.perf_counter() - warm) / images,
    }


def predict(options: argparse.Namespace) -> dict[str, Any]:
    """Predicts one image from its file again and again; the first call is timed separately."""
    import keras
    import numpy as np

    model = classifier(options)
    path = next(path for path in sorted(options.images.rglob("*")) if path.is_file())
    size = options.image_size
    times = []
    for _ in range(8):
        before = time.perf_counter()
        image = keras.utils.load_img(path, target_size=(size, size), interpolation="bilinear")
        model.predict(np.expand_dims(keras.utils.img_to_array(image) / 255.0, 0), verbose=0)
        times.append(time.perf_counter() - before)
    return {"first_s": times[0], "median_s": statistics.median(times[1:])}


def unzip(options: argparse.Namespace) -> dict[str, Any]:
    """The step that unpacks the data."""
    with zipfile.ZipFile(options.archive) as archive:
        archive.extractall(options.into)
        return {"files": len(archive.namelist())}


MODES = {
    "features": features,
    "train": train,
    "prepare": prepare,
    "evaluate": evaluate,
    "predict": predict,
    "unzip": unzip,
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--images", type=Path, help="training (or test) images, one folder per class")
    parser.add_argument("--valid", type=Path, help="validation images, likewise")
    parser.add_argument("--weights", type=Path, help="safetensors with torchvision's names; default: random")
    parser.add_argument("--model", type=Path, default=Path("model.keras"))
    parser.add_argument("--checkpoints", type=Path, default=Path("keras-checkpoints"), metavar="DIR")
    parser.add_argument("--archive", type=Path, help="zip file, for unzip")
    parser.add_argument("--into", type=Path, help="folder, for unzip")
    parser.add_argument("--settings", choices=["usual", "best"], default="usual")
    parser.add_argument("--image-size", type=int, default=224, metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=16, metavar="IMAGES")
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=1, help="timed ones; of the head, on cached features")
    parser.add_argument("--steps", type=int, default=4, help="batches of --images; 0: all")
    parser.add_argument("--valid-steps", type=int, default=1, help="batches of --valid; 0: all")
    parser.add_argument(
        "--train-images", type=int, default=613, help="size of the set that epochs of the head pass over"
    )
    parser.add_argument("--jit", choices=["auto", "on", "off"], default="auto", help="XLA; auto is Keras' own choice")
    parser.add_argument("--bf16", action="store_true", help="mixed_bfloat16 policy")
    parser.add_argument("--eager", action="store_true", help="run_eagerly=True, as many of such projects do")
    parser.add_argument("--augment", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = parse()
    figures: dict[str, Any] = {}
    if options.mode != "unzip":
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(17)
        if options.bf16:
            keras.config.set_dtype_policy("mixed_bfloat16")
        figures["versions"] = {"keras": keras.__version__, "tensorflow": tf.__version__}
    figures |= MODES[options.mode](options)
    # Keras and its generators print too, so the figures are on the last line.
    print(json.dumps({"mode": options.mode, "settings": options.settings, **figures}), flush=True)


if __name__ == "__main__":
    main()
