"""What an operator may limit, by variables of the environment."""

from dataclasses import fields

import pytest

from vae.serve.jobs import limits
from vae.serve.jobs.limits import PREFIX, Limits


def test_every_limit_is_a_variable_of_its_own():
    for field in fields(Limits):
        found = limits.limits({PREFIX + field.name.upper(): "3"})
        assert getattr(found, field.name) == 3
        assert [one.name for one in fields(Limits) if getattr(found, one.name) != one.default] == [field.name]


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "many", "１"])
def test_a_limit_that_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError, match="VAE_LAB_TRAIN_MINUTES"):
        limits.limits({"VAE_LAB_TRAIN_MINUTES": value})


def test_one_setting_switches_training_off():
    assert limits.is_on({})
    assert limits.is_on({"VAE_LAB_TRAINING": "On"})
    assert not limits.is_on({"VAE_LAB_TRAINING": "off"})
    with pytest.raises(ValueError, match="VAE_LAB_TRAINING"):
        limits.is_on({"VAE_LAB_TRAINING": "no"})


def test_every_limit_is_explained_and_stands_in_the_readme():
    readme = (limits.Path(__file__).resolve().parents[3] / "README.md").read_text()
    for field in fields(Limits):
        assert f"`{field.name}`" in Limits.__doc__
    assert "VAE_LAB_TRAINING=off" in readme
    assert limits.FROM in readme


def test_a_folder_to_train_from_is_there_only_where_the_operator_names_one(tmp_path):
    assert limits.folder({}) is None
    assert limits.folder({limits.FROM: ""}) is None
    assert limits.folder({limits.FROM: str(tmp_path)}) == tmp_path.resolve()
