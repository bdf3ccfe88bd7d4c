"""Testing one's own workflows: what the pytest plugin gives a test."""

from localcloud.testing.cloud import CloudUnderTest
from localcloud.testing.run import Run, RunFailed, Step

__all__ = ["CloudUnderTest", "Run", "RunFailed", "Step"]
