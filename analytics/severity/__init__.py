"""Does a rater rate hard or soft, and can we tell?

>>> from analytics.severity import severity
>>> found = severity(ratings)  # a polars frame with rater_id, ratee_id, score
>>> found.raters
"""

from analytics.severity.linear import Severity, severity

__all__ = ["Severity", "severity"]
