"""Ranges of IP addresses in CIDR notation."""

from __future__ import annotations

import ipaddress
from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.values import ExpressionError, not_valid

CIDR = Catalog()
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(name: str, value: str) -> Network:
    try:
        address, length = value.split("/")
        return ipaddress.ip_network((address, int(length)), strict=False)
    except ValueError:
        raise not_valid(name, "The value is not a valid CIDR notation of an IP address range.") from None


@CIDR.function("parseCidr", "string")
def parse_cidr(value: str) -> dict[str, Any]:
    """Documented: of an IPv4 range network and broadcast are not usable; of an IPv6 range all is, and there is no broadcast."""
    network = _network("parseCidr", value)
    first, last = network.network_address, network.broadcast_address
    if network.version == 6:
        usable: dict[str, Any] = {"firstUsable": str(first), "lastUsable": str(last)}
    else:
        inner = 1 if network.num_addresses > 2 else 0
        usable = {"broadcast": str(last), "firstUsable": str(first + inner), "lastUsable": str(last - inner)}
    return {"network": str(first), "netmask": str(network.netmask), **usable, "cidr": network.prefixlen}


@CIDR.function("cidrSubnet", "string", "int", "int")
def subnet(value: str, length: int, index: int) -> str:
    network = _network("cidrSubnet", value)
    if not network.prefixlen <= length <= network.max_prefixlen:
        raise not_valid("cidrSubnet", f"The new CIDR value '{length}' must be between {network.prefixlen} and {network.max_prefixlen}.")
    if not 0 <= index < 2 ** (length - network.prefixlen):
        raise _out_of_range("cidrSubnet", index)
    return f"{network.network_address + index * 2 ** (network.max_prefixlen - length)}/{length}"


@CIDR.function("cidrHost", "string", "int")
def host(value: str, index: int) -> str:
    """The host 0 is the first usable address after the network's own."""
    network = _network("cidrHost", value)
    reserved = 2 if network.version == 4 else 1
    if not 0 <= index < max(network.num_addresses - reserved, 0):
        raise _out_of_range("cidrHost", index)
    return str(network.network_address + index + 1)


def _out_of_range(name: str, index: int) -> ExpressionError:
    return not_valid(name, f"The index '{index}' is out of the address range.")
