"""A Functions host for one machine: it runs a `function_app.py` the way Azure runs it, with the unpleasant parts kept.

The host process owns listeners, keys and time; the app's code lives in a worker process of its own, as on Azure, so that a
`functionTimeout` or a crash takes down what it takes down there: everything that was running in that worker.
"""
