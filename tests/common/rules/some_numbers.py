"""Countries, and numbers that an entry of a mask matches."""

from sms_common.phone import InvalidNumber, normalise

COUNTRIES = ("US", "CA", "GB", "DE", "FR", "MX", "AR", "IN", "AU", "IT", "ES", "BR", "ZA", "JP", "SE")
FILLS = (
    *(digit * 15 for digit in "0123456789"),
    *(f"{n * 7_919_730_151 % 10**15:015}" for n in range(1, 400)),
    *(f"{code}{digit * 13}" for digit in "257109" for code in range(20, 100)),
    *(f"{code}{digit * 12}" for digit in "257109" for code in range(200, 1000)),
)


def some_number(entry):
    """A number that an entry of a kept mask matches, found by trying."""
    for fill in FILLS:
        digits = iter(fill)
        number = "".join(next(digits) if sign == "*" else sign for sign in entry)
        try:
            if normalise(number, "") == number:
                return number
        except InvalidNumber:
            continue
    return None
