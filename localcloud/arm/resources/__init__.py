"""Microsoft.Resources, without deployments."""

from localcloud.arm.resources.groups import ResourceGroups
from localcloud.arm.resources.subscriptions import Subscriptions
from localcloud.arm.resources.template_specs import TemplateSpecs

__all__ = ["ResourceGroups", "Subscriptions", "TemplateSpecs"]
