"""EnsIR on photographs that come with scikit-image: tasks, base models, and a picture.

The examples of the documentation make their images here.
"""

from skensir.demo.photographs import FITTING, TESTING
from skensir.demo.tasks import TASKS, RestoredPhotograph, restore_photograph

__all__ = ["FITTING", "TASKS", "TESTING", "RestoredPhotograph", "restore_photograph"]
