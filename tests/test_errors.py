"""The exception tree: whose mistake it is decides what becomes of it."""

from __future__ import annotations

import inspect

import pytest

from flowengine import errors
from flowengine.call.calls import RefusedError
from flowengine.runtime.arguments import BadArgumentError

KINDS = (errors.AuthorError, errors.RemoteError, errors.EnvironmentProblem, errors.Bug)


def test_every_error_is_of_one_kind() -> None:
    tree = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]
    for one in tree:
        assert issubclass(one, errors.FlowengineError)
        if one is not errors.FlowengineError:
            assert sum(issubclass(one, kind) for kind in KINDS) == 1, one


@pytest.mark.parametrize("error", [errors.ProtocolError, errors.ProviderError, RefusedError, BadArgumentError])
def test_what_the_other_side_does_is_survived(error: type[Exception]) -> None:
    assert issubclass(error, errors.RemoteError)


@pytest.mark.parametrize(("detail", "text"), [("", "v: timeout"), ("after 10 s", "v: timeout (after 10 s)")])
def test_a_providers_failure_says_whether_to_try_again(detail: str, text: str) -> None:
    error = errors.ProviderError("v", "timeout", retryable=True, detail=detail)
    assert (str(error), error.provider, error.kind, error.retryable) == (text, "v", "timeout", True)
