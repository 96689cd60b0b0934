"""Quantise an ONNX file: linear layers and embedding tables in fewer bits, or in float16."""
