"""Runs every measurement and prints its figures."""

from __future__ import annotations

from bench import calls, cold_start, latency, quota

if __name__ == "__main__":
    for part in (calls, cold_start, latency, quota):
        print(f"## {(part.__doc__ or '').splitlines()[0]}\n")
        for line in part.measure():
            print(line)
        print()
