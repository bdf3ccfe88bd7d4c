"""Workflow definitions: reading them, saying all that is wrong with them, and working out what they say. Pure but for reading the files."""
