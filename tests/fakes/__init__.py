"""Fakes of the seams, each held to the same contract suite as the real thing: see tests/contract."""
