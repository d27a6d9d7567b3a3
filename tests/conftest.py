"""Settings of all tests: generated examples are the same in every run."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)  # first examples compile
settings.load_profile("repeatable")
