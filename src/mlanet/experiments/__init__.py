"""The paper's experiments as commands. Needs the `train` extra."""
