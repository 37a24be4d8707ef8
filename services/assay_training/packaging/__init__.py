"""From a fitted pipeline to an artifact: canonical bytes, conversion to ONNX, parity of both."""
