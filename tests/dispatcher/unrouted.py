"""What lies in sms.unrouted, and how it is sent on."""

from sms_common.broker.parked import Parked

# The ladder's waits for a proof that may be under way.
WAITS = (1, 5, 30, 120)


async def wait_in_vain(rig):
    for seconds in WAITS:
        await rig.pass_time(seconds)


async def replay(rig, tenant_id=None):
    """Send on what is in sms.unrouted, as a person does."""
    for one in await taken(rig):
        await rig.broker.publish(Parked.read(one).back(tenant_id=tenant_id))
    await rig.idle()


async def taken(rig):
    async with rig.broker.browse("sms.unrouted", limit=10) as held:
        for one in held:
            await one.remove()
        return [one.delivery for one in held]


def unrouted(rig):
    return [str(one.headers["x-code"]) for one in rig.broker.waiting("sms.unrouted")]
