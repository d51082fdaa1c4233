import pytest

from tests.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny():
    return make_tiny_model()
