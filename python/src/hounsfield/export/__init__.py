"""`hounsfield export`: the network of a model folder as one ONNX file, whose answers were compared with the model's.

Research use only. Not a medical device.
"""
