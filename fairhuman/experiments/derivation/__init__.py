"""Experiments on the paper's derivation: Gram matrices to try, slow solutions to judge by, and the studies.

:mod:`~fairhuman.experiments.derivation.studies` is what notebook 02 shows.
"""
