"""Takes longer to initialise than the test's limit, the first time; not longer than its timeout."""

import time

time.sleep(1.5)


def handler(event, context):
    return "slow, but there"
