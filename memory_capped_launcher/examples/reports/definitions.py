"""Define two assets: one that fits under its cap, and one that needs more memory than its run may have."""

import dagster as dg


@dg.asset
def squares() -> int:
    """The sum of the first million square numbers."""
    return sum(number * number for number in range(1_000_000))


@dg.asset
def every_square() -> None:
    """All square numbers in one list, without end."""
    kept = []
    number = 0
    while True:
        kept.append(number * number)
        number += 1


# The tag lowers the cap that `dagster.yaml` gives to runs without it.
MODEST = {"memory_capped/memory_limit_mb": "200", "memory_capped/timeout_s": "60"}

defs = dg.Definitions(
    assets=[squares, every_square],
    jobs=[
        dg.define_asset_job("sum_squares", [squares], tags=MODEST),
        dg.define_asset_job("keep_every_square", [every_square], tags=MODEST),
    ],
    executor=dg.in_process_executor,  # the multiprocess executor would import everything again for each step
)
