"""Scalar formulas against the oracle, on random and on edge values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference_hrl
import reference_sim
from compiled import from_python
from hypothesis import assume, example, given
from hypothesis import strategies as st

from camsim.compiled import geometry

angle_between_deg = from_python(geometry.angle_between_deg)
bearing_deg = from_python(geometry.bearing_deg)
fused_norm = from_python(geometry.fused_norm)
ray_blocked = from_python(geometry.ray_blocked)
wrap_deg = from_python(geometry.wrap_deg)
zoom_for_distance_deg = from_python(geometry.zoom_for_distance_deg)
lengths = st.floats(-3000.0, 3000.0)
radii = st.floats(1.0, 100.0)


@given(st.floats(-1e4, 1e4))
@example(180.0)
@example(-180.0)
@example(540.0)
@example(-540.0)
@example(math.nextafter(180.0, 0.0))
def test_wrap(angle_deg: float) -> None:
    wrapped = wrap_deg(angle_deg)
    assert wrapped == reference_sim.normalize_angle(angle_deg)
    assert -180.0 <= wrapped <= 180.0


def test_wrap_sends_180_to_minus_180() -> None:
    assert [wrap_deg(a) for a in (180.0, -180.0, 540.0, 179.0)] == [-180, -180, -180, 179]


@given(lengths, lengths)
@example(-1.0, 0.0)
@example(-1.0, -0.0)
@example(0.0, 0.0)
def test_bearing(x: float, y: float) -> None:
    bearing = bearing_deg(x, y)
    assert bearing == pytest.approx(reference_sim.direction_deg(x, y), abs=1e-12)
    assert -180.0 <= bearing <= 180.0


@pytest.mark.parametrize(
    ("a_deg", "b_deg", "difference"),
    [(10, 350, 20), (-170, 170, 20), (0, 180, 180), (-180, 180, 0), (90, 90, 0)],
)
def test_angle_between(a_deg: float, b_deg: float, difference: float) -> None:
    a_deg, b_deg = reference_sim.normalize_angle(a_deg), reference_sim.normalize_angle(b_deg)
    assert angle_between_deg(a_deg, b_deg) == difference


@given(lengths, lengths)
def test_fused_norm(x: float, y: float) -> None:
    assume(all(length == 0.0 or abs(length) > 1e-100 for length in (x, y)))  # no underflow
    assert fused_norm(x, y) == reference_sim.fused_norm(x, y)


def test_fused_norm_differs_from_the_plain_one() -> None:
    """About a tenth of random vectors rounds differently: the emulation is needed."""
    rng = np.random.default_rng(1)
    vectors = rng.uniform(-100, 100, (2000, 2)).tolist()
    fused = [fused_norm(x, y) for x, y in vectors]
    assert fused == [reference_sim.fused_norm(x, y) for x, y in vectors]
    plain = [math.sqrt(x * x + y * y) for x, y in vectors]
    assert 0.05 < np.mean(np.not_equal(fused, plain)) < 0.2


def blocked_by_both(
    point: tuple[float, float], centre: tuple[float, float], radius: float
) -> tuple[bool, bool]:
    """Verdicts of kernel and oracle for a ray from the origin."""
    length = math.sqrt(point[0] ** 2 + point[1] ** 2)
    kernel = ray_blocked(*point, length, *centre, radius)
    origin = np.zeros(2)
    oracle = reference_sim.disc_blocks(origin, np.array(point), np.array(centre), radius)
    return bool(kernel), oracle


@given(st.tuples(lengths, lengths), st.tuples(lengths, lengths), radii)
def test_ray_blocked(
    point: tuple[float, float], centre: tuple[float, float], radius: float
) -> None:
    if math.hypot(*point) > 1e-3:
        kernel, oracle = blocked_by_both(point, centre, radius)
        assert kernel == oracle


@pytest.mark.parametrize(
    ("point", "hidden"),
    [
        ((400.0, 0.0), True),  # behind
        ((150.0, 0.0), True),  # inside the disc, behind its near edge
        ((100.0, 0.0), False),  # on the near edge: leaning on it stays visible
        ((100.00005, 0.0), False),  # within the relative slack of 1e-6
        ((100.001, 0.0), True),  # beyond the slack
        ((50.0, 0.0), False),  # before
        ((-400.0, 0.0), False),  # opposite
        ((150.0, math.sqrt(150.0**2 * 50.0**2 / (150.0**2 - 50.0**2)) + 1e-9), False),  # tangent
        ((150.0, 53.0), True),  # just within the tangent
    ],
)
def test_ray_blocked_edges(point: tuple[float, float], hidden: bool) -> None:
    """A disc of radius 50 at (150, 0), seen from the origin."""
    assert blocked_by_both(point, (150.0, 0.0), 50.0) == (hidden, hidden)


@given(
    st.floats(0.0, 3000.0),
    st.sampled_from([15.0, 30.0, 90.0, 180.0]),
    st.sampled_from([500.0, 1000.0, 1500.0]),
)
def test_zoom(distance: float, theta_min_deg: float, max_range: float) -> None:
    area = theta_min_deg * max_range**2
    zoom = zoom_for_distance_deg(distance, theta_min_deg, max_range, area)
    wanted = reference_hrl.zoom_for_distance(distance, theta_min_deg, max_range, area)
    assert zoom == pytest.approx(wanted, abs=1e-9)
    assert theta_min_deg <= zoom <= 180.0


@pytest.mark.parametrize("distance", [700.0, 900.0, 1100.0])
def test_zoom_puts_the_point_at_the_incentre(distance: float) -> None:
    """Its distance from the sector's arc equals its distance from the two sides."""
    theta_deg = zoom_for_distance_deg(distance, 30.0, 1500.0, 30.0 * 1500.0**2)
    to_arc = math.sqrt(30.0 * 1500.0**2 / theta_deg) - distance
    to_side = distance * math.sin(math.radians(theta_deg / 2))
    assert to_arc == pytest.approx(to_side, rel=1e-3)
