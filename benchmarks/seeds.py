"""How far scores move when nothing but ``random_state`` changes.

``python benchmarks/seeds.py FOLDER [--tables a,b] [--rows N] [--splits N]``

The folder and the splits are those of ``quality.py``. `EmbeddingEncoder` is fitted with
each of six seeds on the training rows of a split; behind it stands HistGradientBoosting
with its defaults and one seed, so that the deviation over seeds is of the encoder alone.
Writes ``seeds.csv`` and ``seeds.md``: for each table the mean score, the standard deviation
over seeds (its root mean square over splits), and that over splits.
"""

from __future__ import annotations

from typing import Any

from _encoders import embedding
from _records import Records
from _report import report_seeds
from _runs import CONDITIONS, parse_arguments, run
from _tables import Part
from quality import SCORERS, models
from sklearn.metrics import get_scorer

KEYS = [*CONDITIONS, "split", "seed"]
VALUES = ["score"]
# Strings, so that a file that is read again has the same keys.
SEEDS = tuple(f"seed {number}" for number in range(6))


def measure(
    seed: str, task: str, train: Part, test: Part, split: int
) -> list[dict[str, Any]]:
    """Return the score of boosted trees behind the encoder with this seed."""
    features, features_test = embedding(task, train, test, int(seed.split()[1]))
    boosting = models("Embedding", task, train, features)["boosting"]
    boosting.fit(features, train.y)
    return [{"score": get_scorer(SCORERS[task])(boosting, features_test, test.y)}]


def main() -> None:
    """Measure, and print the table."""
    settings = parse_arguments(__doc__, "seeds", SEEDS)
    records = Records(settings.out / "seeds.csv", KEYS, VALUES)
    run(settings, records, measure, scaled=True)
    text = report_seeds(records.read())
    (settings.out / "seeds.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
