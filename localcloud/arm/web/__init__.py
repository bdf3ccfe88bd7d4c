"""Microsoft.Web: plans and function apps with their settings, kept and shown. The app itself runs elsewhere, and does not read them."""

from localcloud.arm.web.sites import Web

__all__ = ["Web"]
