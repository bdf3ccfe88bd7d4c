"""The command line of the local cloud: `python -m localcloud`."""
