"""Guarded rollouts: the plan and the window that it announces, the guards, the steps, and the controller."""
