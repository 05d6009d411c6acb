"""The usual way to serve such a model: Flask, Keras, `model.predict` for each request.

    flask_keras.py --image-size 224 --classes a,b --server flask      Flask's own, with threads
    flask_keras.py --image-size 224 --classes a,b --server waitress   a server made for production

Prints `listening on http://127.0.0.1:<port>`. POST /predict {"image": "<base64>"}.
"""

import argparse
import base64
import binascii
import io
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from flask import Flask, jsonify, request
from PIL import Image, UnidentifiedImageError

import keras_reference


def app_of(model: Any, classes: list[str], image_size: int) -> Flask:
    """The app as tutorials write it, with one improvement: `predict` draws no progress bar."""
    app = Flask(__name__)

    @app.post("/predict")
    def predict() -> Any:
        try:
            body = base64.b64decode(request.get_json()["image"])
            image = Image.open(io.BytesIO(body)).convert("RGB").resize((image_size, image_size))
        except (KeyError, binascii.Error, UnidentifiedImageError) as error:
            return jsonify([{"error": str(error)}]), 400
        batch = np.expand_dims(np.asarray(image, dtype="float32") / 255.0, axis=0)
        probabilities = model.predict(batch, verbose=0)[0]
        best = int(np.argmax(probabilities))
        return jsonify([{"prediction": classes[best], "confidence": f"{probabilities[best]:.4%}"}])

    return app


def listening(port: int) -> None:
    print(f"listening on http://127.0.0.1:{port}", flush=True)


def with_flask(app: Flask) -> None:
    """The equivalent of `app.run()`, on a free port."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        # It sends head and body separately. Without this the body waits for the client's delayed acknowledgement, 40
        # ms, which would count against the model.
        disable_nagle_algorithm = True

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    listening(server.port)
    server.serve_forever()


def with_waitress(app: Flask) -> None:
    """Waitress with its own settings: four threads."""
    from waitress import create_server

    server = create_server(app, host="127.0.0.1", port=0)
    listening(server.effective_port)
    server.run()


SERVERS = {"flask": with_flask, "waitress": with_waitress}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=SERVERS, default="flask")
    parser.add_argument("--image-size", type=int, required=True, metavar="PIXELS")
    parser.add_argument("--classes", required=True, help="with commas")
    parser.add_argument("--weights", type=Path, help="of the base, safetensors; else random ones")
    options = parser.parse_args()
    classes = options.classes.split(",")
    model = keras_reference.classifier(
        argparse.Namespace(
            image_size=options.image_size, classes=len(classes), weights=options.weights, eager=False, jit="auto"
        )
    )
    SERVERS[options.server](app_of(model, classes, options.image_size))


if __name__ == "__main__":
    main()
