"""How hypothesis runs the tests of the data floor."""

from hypothesis import HealthCheck, settings

# No time limits: other work on the machine is no defect of a reader. A test that writes to the same temporary file
# again and again is meant to.
settings.register_profile(
    "data", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("data")
