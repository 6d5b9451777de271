"""The frame: navigation, Today, search, health and the parts every page is made of.

Owns no rows. The apps hang what they contribute on `registry`; this module never asks for an app by name.
"""
