"""How much a face is like faces: its log-likelihood under a Gaussian fitted to all of them.

A teacher for the quality score that needs no label, no identity and no recogniser. It is the idea
of reconstruction probability (An and Cho 2015) with a linear model, and looks at what a variational
autoencoder of 64x64 pixels hardly sees: at what the detector makes of the face
(:class:`~sealshot.export.train.robustness.Look`), and at the aligned inner face, where glasses,
hands, odd light and a turned head stand out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOOR = 1e-3
"""Added to each variance, as a share of their mean."""
CONTRAST_FLOOR = 5.0
"""Grey levels; a flat picture must not become all noise."""


def typicality(vectors: NDArray[np.floating], rank: int) -> NDArray[np.float64]:
    """Return minus the squared Mahalanobis distance of each vector to the mean of all.

    Args:
        vectors: ``[n, d]``.
        rank: how many principal components count, those of the largest variance.

    Returns:
        ``float64 [n]``, higher is more typical.
    """
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.cov(centred.T))
    variances, directions = variances[-rank:], directions[:, -rank:]
    variances = variances + FLOOR * variances.mean()
    return -np.asarray(((centred @ directions) ** 2 / variances).sum(axis=1))


def contrast_normalised(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return aligned faces ``uint8 [n, h, w]`` as rows of zero mean and like contrast."""
    rows = faces.reshape(len(faces), -1).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / (rows.std(axis=1, keepdims=True) + CONTRAST_FLOOR))
