"""What a fit is worth, in words: held-out PSNR beside that of the base models, and what to do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._text import plural, wrap
from skensir.image import ImageEnsemble, ReferenceSet, Worth, peak_signal_noise_ratio
from skensir.image.inputs import INPUT_MODEL
from skensir.image.progress import progress
from skensir.image.search import MAX_FOLDS, N_AREAS
from skensir.image.worth import AVERAGE, LEAST_LOSS

_NO_BREAK = "\xa0"
# In dB: what an option has to gain to be named, by how much nothing restored is worse, and by how
# much the cautious figure of a search may be too low.
_WORTH_AN_OPTION = 0.005
_FAR = 6.0
_CAUTION = 0.2


def describe_worth(
    worth: Worth, regressor: EnsIRRegressor | EnsIRRegressorCV, n_scenes: int
) -> str:
    """Return the table of PSNR, and sentences on what it is and what follows from it."""
    searched = isinstance(regressor, EnsIRRegressorCV)
    return "\n".join(
        [
            _heading(worth, n_scenes, searched=searched),
            *_table(worth, _name(regressor)),
            *map(_wrapped, _explain(worth, n_scenes, searched=searched)),
        ]
    )


def describe_held_out(ensemble: ImageEnsemble, scenes: ReferenceSet, data_range: float) -> str:
    """Return a table of PSNR on scenes that were not fitted on, which are read for it."""
    psnr: dict[str, list[float]] = {}
    for name in progress(scenes.names, "Measuring"):
        part = scenes.subset([name])
        [prediction], [target] = part.predictions, part.targets
        inputs = part.inputs if ensemble.include_input else None
        [combined] = ensemble.predict(part.predictions.through(lambda _: [prediction]), inputs)  # noqa: B023
        images = dict(zip(scenes.models, prediction, strict=True))
        images |= {AVERAGE: prediction.mean(axis=0), _name(ensemble.regressors_[0]): combined}
        for row, image in images.items():
            score = peak_signal_noise_ratio(target, image, data_range=data_range)
            psnr.setdefault(row, []).append(score)
    means = {row: sum(scores) / len(scores) for row, scores in psnr.items()}
    width = max(map(len, means))
    lines = [f"  {row:{width}}  {mean:8.3f}" for row, mean in means.items()]
    held_out = f"Mean PSNR in dB on {plural(len(scenes), 'scene')} not fitted on:"
    *rivals, ours = means
    best = max(rivals, key=means.__getitem__)
    gain, who = means[ours] - means[best], "the average" if best == AVERAGE else best
    said = f"The gain there is {max(gain, 0.0):.3f} dB over {who}."
    if gain <= -LEAST_LOSS:
        said = f"Warning: {who} does better there, by {-gain:.3f} dB."
    return "\n".join([held_out, f"  {'':{width}}      PSNR", *lines, _wrapped(said)])


def about_clips(names: Sequence[str]) -> str:
    """Say in lines what to know where scenes are frames of clips; nothing where they are not."""
    clips = Counter(name.rpartition("/")[0] for name in names)
    clip, n_frames = max(clips.items(), key=lambda item: (bool(item[0]), item[1]))
    if not clip or n_frames < 2:
        return ""
    text = _wrapped(
        "Frames of one clip are alike, so what is held out frame by frame looks better than a new "
        f"clip would: {f'--hold-out {clip}'.replace(' ', _NO_BREAK)} measures on that clip, which "
        "is not fitted on then."
    )
    return f"{text}\n"


def _wrapped(paragraph: str) -> str:
    """Break the lines of a paragraph for a terminal, but not within what is to be typed."""
    return wrap(paragraph).replace(_NO_BREAK, " ")


def _name(regressor: EnsIRRegressor | EnsIRRegressorCV) -> str:
    """Say in a few words what tables were fitted."""
    if isinstance(regressor, EnsIRRegressorCV):
        return "tables of the search"
    kind = regressor.objective.replace("_", " ")
    if regressor.variance_center == "responsibility":
        kind = "as published"
    shrinkage = f", shrinkage {regressor.shrinkage:g}" if regressor.shrinkage else ""
    return f"table ({kind}{shrinkage}, bins of {regressor.bin_width_:g})"


def _heading(worth: Worth, n_scenes: int, *, searched: bool) -> str:
    """Say what is held out."""
    if n_scenes == 1:
        areas = f", where {N_AREAS} areas of the scene are held out one after the other"
        return f"Mean PSNR in dB{areas if searched else ''}:"
    if n_scenes <= MAX_FOLDS:
        return "Mean PSNR in dB, where one scene after the other is held out:"
    if searched:
        return "Mean PSNR in dB of tenths of the scenes, which are held out one after the other:"
    return "Mean PSNR in dB, where tenths of the scenes are held out one after the other:"


def _table(worth: Worth, name: str) -> list[str]:
    """Lay out the PSNR as aligned lines."""
    rows = [
        (model, f"{psnr:.3f}", _signed(-loss))
        for model, psnr, loss in zip(
            worth.model_names, worth.base_models.mean(axis=1), worth.losses, strict=True
        )
    ]
    rows.append((AVERAGE, f"{worth.average.mean():.3f}", ""))
    if not math.isnan(worth.ensemble.mean()):
        rows.append((name, f"{worth.ensemble.mean():.3f}", ""))
    width = max(len(name) for name, _, _ in rows)
    lines = [f"  {'':{width}}      PSNR"]
    if any(change for _, _, change in rows):
        lines[0] += "  without it"
    lines += [f"  {name:{width}}  {psnr:>8}  {change:>10}".rstrip() for name, psnr, change in rows]
    return lines


def _signed(change: float) -> str:
    """Return a change with its sign, none where nothing is seen of it or it is not known."""
    if math.isnan(change):
        return ""
    return f"{change:+.3f}" if round(change, 3) else "0.000"


def _explain(worth: Worth, n_scenes: int, *, searched: bool) -> list[str]:
    """Return what to know of the numbers, and a warning where something else does better."""
    if math.isnan(worth.ensemble.mean()):
        return ["A single scene cannot be held out, so what the table is worth is not known."]
    sentences = []
    if worth.losses.size and not math.isnan(worth.losses[0]):
        of_what = " of plainer tables, in wide bins," if searched else ""
        sentences.append(
            f'"Without it" is how the PSNR{of_what} changes if a model is left out: the more is '
            "lost, the more the model is worth."
        )
    if searched:
        sentences.append(
            "The settings are chosen anew without what is held out. Where tables are averaged, "
            "the mean of their errors stands for that of the average, which is smaller, so this "
            "is a cautious figure."
        )
    if INPUT_MODEL in worth.model_names[-1:]:
        sentences.append("The average is that of the models, without the input.")
    sentences += _far_below(worth)
    if len(worth.model_names) == 1:
        sentences.append("With a single base model there is nothing to combine.")
    rival, psnr = worth.best_rival
    loss = psnr - float(worth.ensemble.mean())
    if searched and worth.loses and loss < _CAUTION:
        return [" ".join(sentences), _doubt(rival, loss)]
    return [" ".join(sentences), _compare(worth, rival, psnr)]


def _far_below(worth: Worth) -> list[str]:
    """Say which base model is so much worse than all others that it may be their input."""
    means = dict(zip(worth.model_names, worth.base_models.mean(axis=1).tolist(), strict=True))
    means.pop(INPUT_MODEL, None)
    worst, *others = sorted(means, key=means.__getitem__) or [""]
    if len(others) < 2 or not means[others[0]] - means[worst] >= _FAR:  # nor infinity less itself
        return []
    return [
        f"{worst} is {means[others[0]] - means[worst]:.1f} dB below the other models; if it is "
        f"what they have restored, {f'--input {worst}'.replace(' ', _NO_BREAK)} says so."
    ]


def _named(rival: str) -> str:
    """Return what a rival is called in a sentence."""
    return "the average of the models" if rival == AVERAGE else rival


def _doubt(rival: str, loss: float) -> str:
    """Say that something else may do better."""
    return (
        f"Note: by this cautious figure {_named(rival)} does better by {loss:.3f} dB; skensir "
        "compare, on scenes that were not fitted on, tells which to take."
    )


def _compare(worth: Worth, rival: str, psnr: float) -> str:
    """Say what is gained, or what does better."""
    gain = float(worth.ensemble.mean()) - psnr
    if not worth.loses:
        return _gains(worth)
    by = f" by {-gain:.3f} dB" if math.isfinite(gain) else ""
    text = f"Warning: {_named(rival)} does better than this fit{by}"
    if INPUT_MODEL in worth.model_names[-1:] and worth.losses[-1] < 0:
        return f"{text}; on plainer tables --no-input does {-worth.losses[-1]:.3f} dB better."
    tried = {shrinkage: float(found.mean()) for shrinkage, found in worth.squared_error.items()}
    best_tried = max(tried, key=tried.__getitem__, default=None)
    if best_tried is None or tried[best_tried] < psnr + _WORTH_AN_OPTION:
        return f"{text}; take {'plain averaging' if rival == AVERAGE else rival + ' alone'}."
    option = "--objective squared_error"
    if best_tried:
        option += f" --shrinkage {best_tried:.0f}"
    return (
        f"{text}; {option.replace(' ', _NO_BREAK)} does not lose, with {tried[best_tried]:.3f} dB "
        "on the same scenes."
    )


def _gains(worth: Worth) -> str:
    """Say what is gained over the best base model and over averaging."""
    psnr, means = float(worth.ensemble.mean()), worth.base_models.mean(axis=1)
    best = int(means.argmax())
    over = [
        f"{psnr - rival if psnr > rival else 0.0:.3f} dB over {name}"
        for name, rival in (
            (f"{worth.model_names[best]}, the best base model,", float(means[best])),
            ("averaging", float(worth.average.mean())),
        )
    ]
    return f"The gain is {' and '.join(over)}."
