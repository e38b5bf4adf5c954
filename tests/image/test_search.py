"""How tables of images are searched for, whatever holds their pixels."""

import numpy as np
import pytest
from noisy_images import images
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut

from skensir import EnsIRRegressorCV
from skensir.image import ImageEnsemble
from skensir.image.search import search_for_images


def test_floats_get_what_whole_numbers_get():
    predictions, targets = images()
    whole = ImageEnsemble(search_for_images(4, 255)).fit(predictions, targets)
    floats = [[image.astype(float) for image in part] for part in (predictions, targets)]
    of_floats = ImageEnsemble(search_for_images(4, 255)).fit(*floats)
    expected = whole.predict(predictions)
    for one, other in zip(of_floats.predict(floats[0]), expected, strict=True):
        assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize(
    ("n_scenes", "cv"), [(4, LeaveOneGroupOut()), (12, GroupKFold(10)), (1, KFold(5))]
)
@pytest.mark.filterwarnings("ignore:Settings are chosen on parts of a single image")
def test_whole_numbers_get_the_estimators_defaults(n_scenes, cv):
    predictions, targets = ((3 * part)[:n_scenes] for part in images())
    found = ImageEnsemble(search_for_images(n_scenes)).fit(predictions, targets)
    expected = ImageEnsemble(EnsIRRegressorCV(cv=cv)).fit(predictions, targets)
    for one, other in zip(found.predict(predictions), expected.predict(predictions), strict=True):
        assert_array_equal(one, other)
    assert np.isfinite(found.score(predictions, targets))
