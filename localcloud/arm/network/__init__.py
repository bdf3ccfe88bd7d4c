"""Microsoft.Network: networks, their subnets and security groups, kept and shown. Nothing is ever filtered or routed."""

from localcloud.arm.network.networks import Network

__all__ = ["Network"]
