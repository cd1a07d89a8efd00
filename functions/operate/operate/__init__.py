"""OperateFunction: called each minute, it takes the next step of every rollout of one model.

Read ``main`` (the handler), ``app`` (what it is made of), ``rollout_round`` (what one call does). Requests never wait
for it: if it doesn't run, every alias stays where it is.
"""
