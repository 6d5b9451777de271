"""Users, their roles, the books of clients they may see, and the one policy module that says who may do what.

`policy` decides; `services` writes people, invitations and books; `tokens` are keys for programs; `freshness` knows when
somebody last proved who they are, and `step_up` asks them again before what cannot be taken back. Sign-in, second
factors and recovery codes are django-allauth's, with our templates; wrong passwords are counted by django-axes
(`lockout`). `middleware` keeps sessions short, holds back whoever has no second factor.
"""
