"""Fitted encoders as graphs of ONNX: keys of each column, nodes, and the converter."""
