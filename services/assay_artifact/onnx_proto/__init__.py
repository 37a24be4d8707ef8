"""What an ONNX file says about itself, read from its bytes: no ONNX package, no model in memory."""
