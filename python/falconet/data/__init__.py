"""Input pipelines: data from arrays, files and generators, shuffled, mapped, batched and made ahead of time.

>>> data = Dataset.range(5).map(lambda i: i * i).batch(2, drop_remainder=True)
>>> [batch.tolist() for batch in data]
[[0, 1], [4, 9]]
"""

from __future__ import annotations

from falconet.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset"]
