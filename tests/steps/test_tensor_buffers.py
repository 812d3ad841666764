import threading

import numpy as np

from ocrdeploy.steps import LoadImageFromFile, Normalize, Pad, preprocess
from ocrdeploy.steps.tensor_buffers import ThreadBuffers, new_tensor

STEPS = (
    LoadImageFromFile(color_type="color"),
    Normalize(mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0), to_rgb=True),
    Pad(size_divisor=32),
)


def test_a_thread_gets_the_same_memory_again_and_more_where_it_is_too_little() -> None:
    allocate = ThreadBuffers()
    first, smaller, larger = allocate((3, 4, 5)), allocate((1, 2, 3)), allocate((3, 8, 5))
    assert (first.shape, smaller.shape, larger.shape) == ((3, 4, 5), (1, 2, 3), (3, 8, 5))
    assert np.shares_memory(first, smaller)
    assert not np.shares_memory(first, larger)
    assert np.shares_memory(larger, allocate((3, 4, 5)))
    assert all(each.dtype == np.float32 and each.flags.c_contiguous for each in (first, smaller, larger))


def test_threads_do_not_share_memory() -> None:
    allocate = ThreadBuffers()
    mine, theirs = allocate((3, 4, 5)), []
    thread = threading.Thread(target=lambda: theirs.append(allocate((3, 4, 5))))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, theirs[0])


def test_what_the_memory_held_before_does_not_show() -> None:
    rng = np.random.default_rng(0)
    allocate = ThreadBuffers()
    for height, width in ((50, 70), (20, 30), (50, 70), (64, 64)):
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        reused, own = preprocess(image, STEPS, allocate), preprocess(image, STEPS, new_tensor)
        assert np.array_equal(reused.tensor, own.tensor)
