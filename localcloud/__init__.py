"""The part of Azure that loadme needs, on one machine. Never deployed."""
