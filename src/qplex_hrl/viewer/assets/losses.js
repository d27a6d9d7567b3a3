// Losses: the longest ones, and which cameras could have had the target meanwhile.

const lossFrames = (loss) => loss.last - loss.first + 1;

/** Losses, longest first; of one target if it is given. */
function longestLosses(episode, target = -1) {
  return episode.losses
    .filter((loss) => target < 0 || loss.target === target)
    .sort((a, b) => lossFrames(b) - lossFrames(a) || a.first - b.first);
}

/** The nearest loss that starts after (step 1) or before (-1) a frame; of one target if given. */
function neighbourLoss(episode, frame, step, target = -1) {
  const starts = episode.losses
    .filter((loss) => (target < 0 || loss.target === target) && step * (loss.first - frame) > 0)
    .sort((a, b) => step * (a.first - b.first));
  return starts[0] || null;
}

/** Cameras by the share of a loss in which the target was within reach, best first. */
function couldHaveHad(episode, loss) {
  const n = lossFrames(loss);
  const cameras = Array.from({ length: episode.cameras }, (_, camera) => {
    const within = [];
    const chosen = new Map();
    for (let f = loss.first; f <= loss.last; f += 1) {
      if (episode.reaches(f, camera, loss.target)) within.push(f);
      for (const words of topics(episode.action(episode.actionOf(f, camera)))) {
        chosen.set(words, (chosen.get(words) || 0) + 1);
      }
    }
    const distances = (within.length ? within : framesOf(loss))
      .map((f) => episode.distance(f, camera, loss.target));
    return {
      camera,
      share: within.length / n,
      firstWithin: within.length ? within[0] : null,
      distance: distances.reduce((sum, d) => sum + d, 0) / distances.length,
      estimate: medianEstimate(episode, camera, loss),
      chosen: [...chosen].sort((a, b) => b[1] - a[1]).map(([words, f]) => ({ words, share: f / n })),
    };
  });
  return cameras.sort((a, b) => b.share - a.share || a.distance - b.distance);
}

/** Median of a camera's estimates during a loss, as `Episode.estimate` gives them. */
function medianEstimate(episode, camera, loss) {
  const estimates = framesOf(loss)
    .map((f) => episode.estimate(f, camera, loss.target))
    .filter((estimate) => estimate);
  if (!estimates.length) return null;
  const tracked = estimates.filter((estimate) => estimate.tracked).length;
  return { error: median(estimates.map(({ error }) => error)), tracked: 2 * tracked >= estimates.length };
}

function framesOf(loss) {
  return Array.from({ length: lossFrames(loss) }, (_, i) => loss.first + i);
}

/** What an action is about: each of its targets, a search, a move, or nothing. */
function topics(action) {
  if (!action) return [];
  if (action.targets && action.targets.length) return action.targets.map((t) => `T${t}`);
  return [action.search ? "search" : action.move ? "moves" : "nothing"];
}

/** What a camera did most during a loss, and how often it selected the target itself. */
function chosenWords(episode, loss, chosen) {
  const itself = `T${loss.target}`;
  const others = chosen.filter(({ words }) => words !== itself).slice(0, 3);
  const { share } = chosen.find(({ words }) => words === itself) || { share: 0 };
  return [...others, { words: `${itself} itself`, share }]
    .map((each) => `${each.words} ${percent(each.share)}`.replaceAll(" ", "\u00a0")).join(", ");
}
