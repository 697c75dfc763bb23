"""Turn text into vectors: OpenVINO, torch, and the weights that they load."""
