"""The tags of `templatetags/ui.py`, by what they show."""
