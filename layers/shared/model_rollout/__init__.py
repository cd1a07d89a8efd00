"""Guarded rollouts: a new version gets the traffic in steps, each judged from the prediction log.

Read in this order: ``plan`` (the stages), ``window`` (how far the candidate is meant to differ), ``document`` (a
rollout's state in the bucket), ``guards`` (what is judged), ``step`` and ``moves`` (what to do next: pure),
``controller`` (which does it). A controller may die anywhere and several may run at once: the alias is moved first and
the document follows, each by compare-and-swap.
"""
