"""The images of real containers."""

from __future__ import annotations

import click

from localcloud.cli import running
from localcloud.cli.side import found_here


@click.command()
@click.argument("image")
@click.option("--as", "name", metavar="NAME", help="What it is called there, such as loadmeregistry.azurecr.io/report:1. [default: IMAGE]")
def push(image: str, name: str | None) -> None:
    """Put an image that was built here into a registry of the cloud.

    \b
    Example:
      podman build -t loadmeregistry.azurecr.io/report:1 report/
      python -m localcloud push loadmeregistry.azurecr.io/report:1
    """
    from localcloud.push import push as push_image

    running.say(f"pushed {push_image(found_here(), image, name or image)}")
