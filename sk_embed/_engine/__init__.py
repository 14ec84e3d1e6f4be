"""From integer codes and float targets to tables of vectors: numpy and scipy only.

Nothing in this package knows what a data frame, a category's name or a label is.
"""
