"""Money, time, lifecycles, encrypted fields, errors: the words every other module speaks. Imports nothing of ours.

`money`, `clock` and `errors` are pure; `fields`, `lifecycle` and `models` know Django.
"""
