from pathlib import Path

import pytest

from fedbatch.plant.packs import World, make_world
from tests.unit.plant.judging import START


@pytest.fixture(scope="session")
def pilot() -> World:
    return make_world("pilot", seed=1, start=START, local_trains=())


@pytest.fixture(scope="session")
def pilot_folder(pilot: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pilot")
    pilot.write_until(folder, pilot.end)
    return folder


@pytest.fixture(scope="session")
def demo() -> World:
    return make_world("demo", seed=2, start=START, days=3, local_trains=())


@pytest.fixture(scope="session")
def demo_folder(demo: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.write_until(folder, demo.end)
    return folder
