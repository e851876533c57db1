"""How drawn cases are drawn: the same ones each time, so that a passing commit passes again.

`pytest --hypothesis-profile=anew` draws others each time.
"""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("anew", deadline=None)
settings.load_profile("same")
