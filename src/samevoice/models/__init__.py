"""Models: what a trained network is as a file, where it comes from, and how it answers; numpy and onnxruntime only."""
