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
      const action = episode.actionOf(f, camera);
      chosen.set(action, (chosen.get(action) || 0) + 1);
    }
    const distances = (within.length ? within : framesOf(loss))
      .map((f) => episode.distance(f, camera, loss.target));
    return {
      camera,
      share: within.length / n,
      firstWithin: within.length ? within[0] : null,
      distance: distances.reduce((sum, d) => sum + d, 0) / distances.length,
      error: medianError(episode, camera, loss),
      chosen: [...chosen].sort((a, b) => b[1] - a[1]).map(([action, f]) => ({ action, share: f / n })),
    };
  });
  return cameras.sort((a, b) => b.share - a.share || a.distance - b.distance);
}

/** Median distance between the target and where a camera took it to be; null without a track. */
function medianError(episode, camera, loss) {
  const errors = framesOf(loss)
    .map((f) => episode.track(f, camera, loss.target))
    .filter((track) => track)
    .map((track) => track.error)
    .sort((a, b) => a - b);
  return errors.length ? errors[Math.floor(errors.length / 2)] : null;
}

function framesOf(loss) {
  return Array.from({ length: lossFrames(loss) }, (_, i) => loss.first + i);
}

/** What a camera selected most during a loss, in words; the first so many by name. */
function chosenWords(episode, chosen, most) {
  const named = chosen.slice(0, most)
    .map(({ action, share }) => `${episode.actionName(action)} (${percent(share)})`);
  const others = chosen.length - named.length;
  return named.join("; ") + (others ? ` and ${plural(others, "other")}` : "");
}
