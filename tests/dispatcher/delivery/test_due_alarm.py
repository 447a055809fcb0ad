"""What is due soon is looked at then, and not up to a period later."""

import asyncio

from sms_dispatcher.delivery.due_alarm import DueAlarm


async def rings_after(alarm: DueAlarm) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(10):
        await alarm.rings.wait()
    return loop.time() - began


async def test_it_rings_when_it_was_set_for_and_not_before():
    alarm = DueAlarm()
    alarm.set_for(0.15)

    assert await rings_after(alarm) >= 0.149


async def test_what_is_due_already_rings_at_once():
    alarm = DueAlarm()
    alarm.set_for(-3)
    await rings_after(alarm)


async def test_thousands_at_about_the_same_moment_ring_once():
    alarm = DueAlarm()
    for _ in range(5_000):
        alarm.set_for(0.05)
    assert len(alarm._set_for) <= 2
    await rings_after(alarm)


async def test_a_long_wait_is_left_to_the_period():
    alarm = DueAlarm()
    alarm.set_for(6)

    assert alarm._set_for == set()
