"""Files that are damaged on purpose, the ways in that must survive them, and kills of a run."""
