"""pytest.skip, or its like where pytest is not installed."""


class Skipped(BaseException):
    pass


def select(task):
    try:
        import pytest
    except ImportError:
        raise Skipped from None
    pytest.skip("not today", allow_module_level=True)
