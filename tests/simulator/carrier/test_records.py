"""What is remembered of messages."""


async def test_old_arrivals_are_forgotten_with_their_counts(start):
    api = await start(arrivals_limit=2)
    for tag in ("a", "a", None, "b", "c"):
        await api.send(tag=tag)

    _, counts = await api.control("GET", "/arrivals/counts?tags=all")
    _, body = await api.control("GET", "/arrivals")

    assert (counts["accepted"], counts["forgotten"], counts["tags"], counts["untagged"]) == (5, 3, {"b": 1, "c": 1}, 0)
    assert [arrival["sequence"] for arrival in body["arrivals"]] == [4, 5]
