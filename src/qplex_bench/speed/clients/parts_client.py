"""Times of the parts of a decision or of an update, in any version of this project since 0.1.

Run as text by an interpreter whose PYTHONPATH holds that version: modules have moved since.
The argument is a JSON object: `what` ("decision" or "update"), `config` (a file), `settings`
("section.key=value"), and `amount` (decisions or updates per answer). It answers each line on
standard input by one JSON object on one line. Times are processor times.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any  # of another version, or NumPy's

PARTICLE_WORDS = ("particle", "cloud", "origin", "stream")
"""Fields of the cameras' state with one of these in their names belong to particle sets."""


def first_module(*names: str) -> Any:
    """Return the first of these modules that this version has."""
    for name in names[:-1]:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    return import_module(names[-1])


def build_loop(request: Mapping[str, Any]) -> Any:
    """Return a training loop as the request configures it, its environments at their start."""
    import torch

    config = first_module("qplex_hrl.config")
    make_env = first_module("qplex_hrl.data.make_env", "qplex_hrl.worlds")
    training = first_module("qplex_hrl.training.loop", "qplex_hrl.loop")
    settings = [config.parse_override(text) for text in request["settings"]]
    run = config.load_config(request["config"], settings)
    env = make_env.build_env(run, run.env.num_envs)
    return training.TrainingLoop(run, env, torch.device("cpu"))


class Clock:
    """Processor seconds spent in functions, by name."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.spent: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted under `name`."""

        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent[name] = self.spent.get(name, 0.0) + time.process_time() - started

        return call


class DecisionParts:
    """Collecting with random actions in part, whole and by parts."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        """Build everything and compile."""
        self._rollout = build_loop(request).local_rollout
        self._env, self._agent = self._rollout._env, self._rollout._agent
        self._n_decisions = int(request["amount"])
        self.answer()

    def answer(self) -> dict[str, Any]:
        """Return us per decision of one environment by part, frames per second, and memory."""
        started = time.process_time()
        n_frames = self._collect().n_frames
        rate = n_frames / (time.process_time() - started)
        return {
            "parts": self._parts(),
            "details": lookahead_parts(self._env) | self._reaction(),
            "frames_per_second": rate,
            "memory": memory(self._env),
        }

    def _collect(self) -> Any:
        return self._rollout.collect(self._n_decisions, 0.1)

    def _parts(self) -> dict[str, float]:
        """Collect once more with a clock in every part."""
        clock, env, agent = Clock(), self._env, self._agent
        run_frames = clock.timed("frames", env.run_frames)
        observe = clock.timed("observe", env.observe)

        def step(actions: Any) -> Any:
            run_frames(actions)  # a step is these two, but for what it earns
            return observe()

        lookahead = env._lookahead
        env.step, agent.act = step, clock.timed("act", agent.act)
        if lookahead is not None:
            lookahead.write = clock.timed("lookahead", lookahead.write)
        try:
            clock.timed("all", self._collect)()
        finally:
            del env.step, agent.act
            if lookahead is not None:
                del lookahead.write
        spent = {"lookahead": 0.0} | clock.spent
        seconds = {
            "frames": spent["frames"],
            "features": spent["observe"] - spent["lookahead"],
            "lookahead": spent["lookahead"],
            "act": spent["act"],
            "store": spent["all"] - spent["frames"] - spent["observe"] - spent["act"],
        }
        n = self._n_decisions * env.n_envs
        return {name: 1e6 * value / n for name, value in seconds.items()}

    def _reaction(self) -> dict[str, float]:
        """Return us per frame of one environment in which cameras react, if they do."""
        try:
            greedy_agent = import_module("qplex_hrl.evaluation.trained").greedy_agent
            agent = greedy_agent(self._agent._network, self._env, self._agent._device)
            react = agent.reaction
        except (ImportError, AttributeError):  # versions before there were reactions
            return {}
        if react is None:
            return {}
        output = self._env.observe()
        agent.act(output.obs, output.avail_actions)
        n_times = 20
        started = time.process_time()
        for _ in range(n_times):
            react(*self._env.glance(), 1)
        return {"reaction": 1e6 * (time.process_time() - started) / n_times / self._env.n_envs}


LOOKAHEAD_PARTS = ("futures", "sight", "plans", "choice")
_EXTRA = 4  # times that a part is done once more to time it


def lookahead_parts(env: Any) -> dict[str, float]:
    """Return us per decision of one environment by part of looking ahead, by name.

    The planner is run whole, and with one part done `_EXTRA` times more. Versions before the parts
    had modules of their own have none.
    """
    if env._lookahead is None:
        return {}
    try:
        planner = import_module("camcontrol.planning.planner")
        run = planned_parts()
    except (ImportError, AttributeError):
        return {}
    plans, state = env._lookahead._lookahead, env.agent_state
    beliefs = planner.BeliefState(state.pose, state.belief, state.particles, state.origins)
    arguments = (
        (plans._first_stage, plans.joint),
        env.catalogue,
        beliefs,
        (env.sim.flat_obs.camera_obs, env._out.avail_actions),
        (plans.trajectories, plans.sight, plans.plans, plans.baselines),
        plans.scratch,
        plans._features,
    )
    seconds: dict[int, list[float]] = {part: [] for part in range(-1, len(LOOKAHEAD_PARTS))}
    for _ in range(6):
        for part, measured in seconds.items():
            started = time.process_time()
            run(part, *arguments)
            measured.append(time.process_time() - started)
    whole = min(seconds[-1])
    return {
        name: 1e6 * max(min(seconds[part]) - whole, 0.0) / _EXTRA / env.n_envs
        for part, name in enumerate(LOOKAHEAD_PARTS)
    }


def planned_parts() -> Any:
    """Return a compiled function that plans for all environments, one part more often."""
    import numba

    baselines_of_plans = import_module("camcontrol.planning.baselines")
    joint_plan = import_module("camcontrol.planning.joint_plan")
    plan_tables = import_module("camcontrol.planning.plan_tables")
    rollouts = import_module("camcontrol.planning.rollouts")
    sight = import_module("camcontrol.planning.sight")
    trajectories = import_module("camcontrol.planning.trajectories")
    sample, predict = trajectories.sample_trajectories, sight.predict_sight
    enumerate_plans = rollouts.enumerate_plans
    choose, value = joint_plan.choose_jointly, joint_plan.value_actions
    compare, new_others = baselines_of_plans.compare_views, joint_plan.Others
    count_available, plan_lanes = rollouts.count_available, plan_tables.plan_lanes
    extra = _EXTRA
    # Any: Numba has no type for the last option, which all have that this calls.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}

    @numba.njit(**options)
    def run(part, options, catalogue, beliefs, inputs, tables, scratch, features):  # type: ignore[no-untyped-def]
        (first_stage, joint), (obs, avail) = options, inputs
        ways, views, plans, baselines = tables
        n_envs, n_cameras = beliefs.pose.shape[:2]
        size = len(obs) // (n_envs * n_cameras)
        n_words, n_frames = len(plans.target_bits), plans.slots.shape[1]
        n_ways = plans.n_trajectories
        pose, belief = beliefs.pose, beliefs.belief
        for i in range(n_envs):
            for c in range(n_cameras):
                n, where, row = (i * n_cameras + c) * size, (i, c), c if joint else 0
                low, high = (0, n_cameras) if joint else (c, c + 1)
                lanes = plan_lanes(plans, count_available(avail, i, low, high), 0)
                if c == 0 or not joint:
                    for _ in range(1 + extra * (part == 0)):
                        sample(obs, n, belief, beliefs.particles, beliefs.origins, where, joint,
                               n_ways, ways, 0)  # fmt: skip
                for _ in range(1 + extra * (part == 1)):
                    predict(obs, n, pose, belief, where, ways, n_ways, views, 0)
                for _ in range(1 + extra * (part == 2)):
                    enumerate_plans(catalogue.members, catalogue.search, pose, belief, avail, where,
                                    first_stage, views, row, scratch.nothing, scratch.everything,
                                    plans, lanes, 0)  # fmt: skip
                if c < n_cameras - 1 and joint:
                    continue
                cover, alone, first = lanes.cover, lanes.value, lanes.first
                m, p = alone.shape
                choice, trial = scratch.choice[i, low:high], scratch.trial[0, :m]
                others = new_others(scratch.covered[0], scratch.counting[0], baselines.apart[0])
                together = scratch.together[0, :p]
                n_first = first.shape[1]
                best = scratch.best[0, : n_words * n_first].reshape(n_words, n_first)
                for _ in range(1 + extra * (part == 3)):
                    compare(plans, baselines, 0)
                    choose(cover, alone, first, choice, trial, others, together)
                    value(cover, alone, first, choice, others, together, plans.target_bits,
                          (best, scratch.n_covered[0, :n_first]), 1.0 / (n_frames * n_ways),
                          features[i, low:high])  # fmt: skip

    return run


def memory(env: Any) -> dict[str, float]:
    """Return bytes per environment by group, and of the tables that a worker plans with."""
    state = env.agent_state if hasattr(env, "agent_state") else env.minds
    groups = dict.fromkeys(("belief", "particles", "plan_rows", "plan_tables"), 0.0)
    for name, array in state._asdict().items():
        particles = any(word in name for word in PARTICLE_WORDS)
        groups["particles" if particles else "belief"] += array.nbytes / env.n_envs
    for array in arrays_of(env._lookahead, set()):
        if array.ndim and len(array) == env.n_envs:
            groups["plan_rows"] += array.nbytes / env.n_envs
        else:
            groups["plan_tables"] += array.nbytes
    return groups


def arrays_of(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield every array that an object of ours holds, each once and views not at all."""
    import numpy as np

    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        if id(value) not in seen:
            seen.add(id(value))
            yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from arrays_of(part, seen)
    elif type(value).__module__.startswith("cam") and id(value) not in seen:
        seen.add(id(value))
        yield from arrays_of(list(vars(value).values()), seen)


class UpdateParts:
    """Gradient updates from a replay filled with random play."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        """Build everything, fill the replay and warm up."""
        self._loop, self._n_updates = build_loop(request), int(request["amount"])
        training = self._loop._config.training
        self._batch_size = training.batch_size
        for _ in range(training.burn_in + training.sequence_length + 2):
            self._loop.replay.add(self._loop.local_rollout.collect(1, 1.0).decisions)
        self.answer()

    def answer(self) -> dict[str, Any]:
        """Return ms per update by part."""
        clock, loop, learner = Clock(), self._loop, self._loop.learner
        for _ in range(self._n_updates):
            batch = clock.timed("sample", loop.replay.sample)(self._batch_size, loop.device)
            loss, _ = clock.timed("forward", learner.loss)(batch)
            clock.timed("backward", learner.backward)(loss)
            clock.timed("step", learner.step)(1e-4)
        return {"parts": {k: 1e3 * v / self._n_updates for k, v in clock.spent.items()}}


def main() -> None:
    """Answer until standard input ends."""
    request = json.loads(sys.argv[1])
    worker = DecisionParts(request) if request["what"] == "decision" else UpdateParts(request)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(worker.answer()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
