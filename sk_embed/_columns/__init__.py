"""From data frames to arrays: codes, numeric context, targets.

Nothing in this package knows what a gradient is.
"""
