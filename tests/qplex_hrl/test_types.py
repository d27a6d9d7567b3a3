"""Sizes of the world as the networks see them."""

from small_model import world


def test_observation_length_is_the_sum_of_its_parts() -> None:
    dims, _ = world()
    # 3 context + 3 targets * 4 + 8 options * 2
    assert dims.obs_size == 31
