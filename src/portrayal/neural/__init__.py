"""Layers that several engines' networks are made of: cheaper orders of computation, equal but for
rounding.
"""
