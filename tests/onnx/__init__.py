"""What needs onnxruntime and onnx: the builder, sessions, loading, the embedder."""
