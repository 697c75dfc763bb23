"""Models behind the stages' protocols: embedders and captioners."""
