"""What runs the containers of the local cloud."""

from localcloud.containers.images import Image, ImageMap, ImageMapError
from localcloud.containers.processes import ProcessRuntime
from localcloud.containers.runtime import Container, Launch, Login, Mount, Problem, Pull, Runtime, Security, Terminal, Volume

__all__ = [
    "Container",
    "Image",
    "ImageMap",
    "ImageMapError",
    "Launch",
    "Login",
    "Mount",
    "Problem",
    "ProcessRuntime",
    "Pull",
    "Runtime",
    "Security",
    "Terminal",
    "Volume",
]
