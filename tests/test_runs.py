"""try"""

import time


def test_a(command, run, tmp_path):
    t = time.time()
    r = command("image.siz=3")
    print(r, time.time() - t)
    t = time.time()
    r = command("content.path=nope.png")
    print(r, time.time() - t)
    t = time.time()
    r = command("optimizer.max_evaluations=2", "tracking=off")
    print(r, time.time() - t)
    for i, o in enumerate(["seed=0", "seed=1", "optimizer=adam", "network.pooling=max", "image.size_px=40"]):
        t = time.time()
        run(tmp_path / str(i), o)
        print(o, time.time() - t)
    assert 0


def test_b(command):
    t = time.time()
    r = command("optimizer.max_evaluations=2", "tracking=off")
    print(r, time.time() - t)
    assert 0
