import pytest

from tests.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny():
    return make_tiny_model()


@pytest.fixture(scope="session")
def tiny_sdxl():
    return make_tiny_model("sdxl")


@pytest.fixture(scope="session")
def tiny_sd3():
    return make_tiny_model("sd3")
