"""Microsoft.Insights and Microsoft.OperationalInsights: where telemetry would go. Nobody takes any in."""

from localcloud.arm.insights.components import Insights

__all__ = ["Insights"]
