"""Runs every measurement and prints its figures, or those that are named: `python -m bench calls quota`. All together take half an hour."""

from __future__ import annotations

import logging
import sys

from bench import calls, cold_start, definitions, fan_in, latency, listing, local_cloud, maps, quota

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for part in (calls, cold_start, latency, quota, definitions, listing, maps, fan_in, local_cloud):
        if sys.argv[1:] and part.__name__.removeprefix("bench.") not in sys.argv[1:]:
            continue
        print(f"## {(part.__doc__ or '').splitlines()[0]}\n", flush=True)
        for line in part.measure():
            print(line, flush=True)
        print(flush=True)
