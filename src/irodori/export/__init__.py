"""Systems as ONNX files, and ONNX Runtime as an engine of `irodori.inference.colorizer` (docs/export.md)."""
