"""How long an alias update may take in the containers of these tests."""

from __future__ import annotations

TTL_S = 1.0
# What it may take beyond the TTL: a request that was on its way, SAM CLI's own second now and then, a busy machine.
MARGIN_S = 2.0
