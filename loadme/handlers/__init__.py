"""One module for each function of the app: what it does, given the services and what triggered it."""
