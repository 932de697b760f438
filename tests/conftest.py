"""Settings of Hypothesis for all tests: no time limits, and the same examples in every CI run."""
import os

from hypothesis import HealthCheck, settings

settings.register_profile("wuxing", deadline=None, derandomize="CI" in os.environ,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wuxing")
