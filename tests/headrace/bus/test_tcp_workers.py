from headrace.bus.tcp.workers import Workers


def test_the_end_of_a_connection_tells_of_the_workers_that_spoke_on_it_last() -> None:
    left: list[tuple[str, str]] = []
    workers = Workers(lambda group, worker: left.append((group, worker)))
    first, second = object(), object()
    workers.speaks("in", "a", first)
    workers.speaks("in", "b", first)
    workers.speaks("in", "a", second)
    workers.ended(first)
    assert left == [("in", "b")]
    workers.ended(second)
    workers.ended(second)
    assert left == [("in", "b"), ("in", "a")]
