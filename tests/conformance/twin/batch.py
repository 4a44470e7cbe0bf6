"""/execution-parameters."""
