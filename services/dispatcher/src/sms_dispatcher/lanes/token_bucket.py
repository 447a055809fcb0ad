"""How fast segments may be sent: a bucket that refills evenly. Pure: the caller passes the time.

It is the generic cell rate algorithm (ITU-T I.371) in its virtual scheduling form: one number instead of a count.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Between the bucket and the carrier are a write and a call, which do not always take the same time. A pace this much
# below the limit keeps every window of the carrier's clock within it.
MARGIN = 0.95
# A pace that several dispatchers share varies more: when a slot is reserved, and when it is used.
SHARED_MARGIN = 0.9
# T-Mobile counts a brand's segments by the day of its own time zone.
_BRAND_ZONE = ZoneInfo("America/Los_Angeles")
_MOST_NUMBERS = 10_000


class TokenBucket:
    """Holds up to `burst` segments and refills with `per_second`. It is empty at first: a new owner of a lane does not
    know what the former one sent.

    A message of more segments than fit may be sent once the bucket is full. The bucket is in debt for the rest.
    """

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self._interval = 1 / (per_second * MARGIN)
        self._burst = burst
        self._full_at = now + burst * self._interval

    def wait(self, segments: int, now: float) -> float:
        """Seconds until a message of so many segments may be sent; 0 when it may be sent now."""
        spare = (self._burst - min(segments, self._burst)) * self._interval
        return max(0.0, self._full_at - spare - now)

    def take(self, segments: int, now: float) -> None:
        """Take the segments of a message that is sent now."""
        self._full_at = max(self._full_at, now) + segments * self._interval

    def is_full(self, now: float) -> bool:
        """Whether everything that was taken is refilled."""
        return self._full_at <= now


class NumberBuckets:
    """A bucket for each sender number of a lane that is owned since `now`."""

    def __init__(self, per_minute: float, now: float) -> None:
        self._per_second = per_minute / 60
        self._owned_since = now
        self._buckets: dict[str, TokenBucket] = {}

    def of(self, number: str, now: float) -> TokenBucket:
        """The bucket of a number. For a number that sent nothing, it has refilled since the lane is owned."""
        bucket = self._buckets.get(number)
        if bucket is None:
            if len(self._buckets) >= _MOST_NUMBERS:
                self._buckets = {known: b for known, b in self._buckets.items() if not b.is_full(now)}
            bucket = self._buckets[number] = TokenBucket(self._per_second, 1, self._owned_since)
        return bucket

    def __len__(self) -> int:
        return len(self._buckets)


def brand_day(moment: datetime) -> str:
    """The day against which a brand's segments count, as `2026-11-24`."""
    return moment.astimezone(_BRAND_ZONE).date().isoformat()


def next_brand_day(moment: datetime) -> datetime:
    """When the next such day begins."""
    local = moment.astimezone(_BRAND_ZONE)
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), _BRAND_ZONE)
    return midnight.astimezone(moment.tzinfo)
