"""The edge to Azure: one seam for each outside thing, with the genuine SDK behind it, imported when it is first needed."""
