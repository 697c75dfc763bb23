"""Run the models that the stages ask for: embedders, and readers and describers of pictures."""
