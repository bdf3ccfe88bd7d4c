"""loadme runs container images as the steps of a workflow on Azure, with nothing to operate."""

__version__ = "0.1.0"
