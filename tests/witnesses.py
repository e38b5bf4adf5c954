"""What machines that call an estimator in any order have in common: what must not change."""

import copy
import pickle

import pytest
from drawn import quiet
from frozen import frozen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule


class WithWitnesses(RuleBasedStateMachine):
    """Calls `model`; estimators that it has left behind, the witnesses, stay as they were."""

    def __init__(self):
        super().__init__()
        self.witnesses = []

    def refused(self, call, error=(ValueError, TypeError)):
        before = frozen(self.model)
        with quiet(), pytest.raises(error):
            call()
        assert frozen(self.model) == before

    @rule(copied=st.sampled_from([copy.copy, copy.deepcopy, "pickle"]))
    def go_on_with_a_copy(self, copied):
        """The one that was copied stays as it is, whatever becomes of the copy."""
        before = frozen(self.model)
        self.witnesses.append((self.model, before))
        if copied == "pickle":
            self.model = pickle.loads(pickle.dumps(self.model))
        else:
            self.model = copied(self.model)
        assert frozen(self.model) == before

    def teardown(self):
        for model, before in self.witnesses:
            assert frozen(model) == before
