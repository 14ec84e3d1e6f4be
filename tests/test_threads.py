"""Threads: how many a fit takes, and what tasks that run side by side may rely on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import current_thread, main_thread

import joblib
import pytest
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from threadpoolctl import threadpool_limits

from sk_embed._engine.tasks import map_in_pool
from sk_embed._sklearn_compat import n_threads

FEW, MANY = 10_000, 1_000_000

needs_contexts = pytest.mark.skipif(
    not hasattr(joblib, "parallel_config"), reason="joblib before 1.3 has no defaults"
)


@needs_contexts
def test_by_default_as_many_threads_as_boosting_takes():
    assert n_threads(None, MANY) == _openmp_effective_n_threads()


def test_few_rows_are_learned_in_one_thread_by_default():
    assert n_threads(None, FEW) == 1


def test_a_limit_of_openmp_is_one_of_the_default():
    with threadpool_limits(1, user_api="openmp"):
        assert n_threads(None, MANY) == 1


def test_a_worker_of_joblib_takes_one_thread_by_default():
    parallel = joblib.Parallel(n_jobs=2, backend="threading")
    assert parallel(joblib.delayed(n_threads)(None, MANY) for _ in range(2)) == [1, 1]


@needs_contexts
def test_a_context_of_joblib_decides_where_it_says_something():
    with joblib.parallel_config(n_jobs=3):
        assert n_threads(None, MANY) == 3
        assert n_threads(2, FEW) == 2


def test_minus_one_stands_for_all_cores():
    assert n_threads(-1, FEW) == joblib.cpu_count()


def test_tasks_map_tasks_of_their_own_in_a_pool_of_one_thread():
    with ThreadPoolExecutor(1) as pool:

        def square_of_sum(number):
            return sum(map_in_pool(pool, abs, range(number))) ** 2

        squares = map_in_pool(pool, square_of_sum, range(6))
    assert squares == [0, 0, 1, 9, 36, 100]


def test_no_tasks_have_no_results():
    with ThreadPoolExecutor(1) as pool:
        assert map_in_pool(pool, abs, []) == []


def test_the_first_task_runs_in_the_thread_of_the_caller():
    with ThreadPoolExecutor(2) as pool:
        first, *_ = map_in_pool(pool, lambda _: current_thread(), range(3))
    assert first is main_thread()


@pytest.mark.parametrize("wrong", [0, 1, 4])
def test_an_error_in_any_task_comes_through(wrong):
    def fail_at(number):
        if number == wrong:
            raise ArithmeticError(str(number))

    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(ArithmeticError, match=str(wrong)),
    ):
        map_in_pool(pool, fail_at, range(5))
